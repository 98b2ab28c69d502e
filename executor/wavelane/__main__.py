"""`python -m wavelane` is the command `wavelane`."""

from wavelane.cli import main

if __name__ == "__main__":
    main()
