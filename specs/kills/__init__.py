"""The kills: the real command on real git repos, killed at any moment, and run again to its end.

    python -m specs.kills --kills 150          what CI runs
    python -m specs.kills --kills 1000         the long form
    python -m specs.kills --seed S --wave N    one wave again

Each wave is played to its end in a folder of its own: `wavelane run` is started, disturbed, and
started again, until a run ends by itself. Then the wave is compared with one that nobody disturbed
(`judge`), by what git, the sessions' own logs and the kernel say. The journal is only asked which
issues are done, and whether it keeps the rules.

It needs Linux: the process that plays a wave is the one that orphans are given to, so that none is
lost sight of, and the sessions hold locks (`flock`) that the kernel gives back when they are gone.
"""
