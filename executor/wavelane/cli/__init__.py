"""The command line: arguments in, tables or JSON and an exit code out.

This wing decides how a wave file, a scheduler and a command pipeline are put together for one run
(`wave_run`), what a person sees of it (`display`, `tables`), and what a program gets (`outputs`:
each JSON output has a schema and a version). It offers `app.main`; no other wing imports it.
"""
