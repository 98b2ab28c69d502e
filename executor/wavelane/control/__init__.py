"""Control: commands from outside, given through the journal and answered.

This wing decides how a command reaches a run in another process (`inbox`, `wakeup`), what may be
asked and what is answered (`requests`), and what an outsider sees of a wave (`journal_status`).
It offers `give` and `status_of_journal`.
"""
