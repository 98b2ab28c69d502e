"""The kills: the real command on real git repos, killed at any moment, and run again to its end.

    python -m specs.kills --kills 150          what CI runs
    python -m specs.kills --kills 1000         the long form
    python -m specs.kills --seed S --wave N    one wave again

Each wave is played to its end in a folder of its own: `wavelane run` is started, disturbed, and
started again, until a run ends by itself. Then the wave is compared with an undisturbed one
(`checker`), by the evidence of git, the kernel, and the sessions' own logs. The journal is only
asked which issues are done, and whether it keeps the rules.

It needs Linux: the process that plays a wave is a subreaper, so that no orphan escapes, and the
sessions take locks (`flock`) that the kernel releases when they are gone.
"""
