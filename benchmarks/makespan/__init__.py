"""How late a wave ends, beside the best that is known. README.md has the latest table."""
