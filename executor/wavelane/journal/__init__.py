"""The journal: every event of a run on disk, before what follows from it happens.

One SQLite file in WAL mode, for any SQL client to read. This wing decides the layout of its tables
(`rows`), how an event becomes a row (`encoding`, `plain`), how a change by anything but wavelane is
noticed (`hash_chain`), and what an unusable file is called (`errors`). It offers a `Journal` to
write to (`writer`) and a `JournalReader` (`reader`); what the events mean is decided elsewhere.
"""

from __future__ import annotations

from wavelane.journal.encoding import decode_event, encode_event
from wavelane.journal.errors import JournalError, JournalInUse, NotAJournal, explain_errors
from wavelane.journal.hash_chain import first_digest, next_digest
from wavelane.journal.plain import (
    definition_of,
    make_checked,
    parse_json,
    storable_text,
    to_json,
)
from wavelane.journal.reader import JournalReader, read_journal
from wavelane.journal.rows import (
    EVENT_VERSION,
    FORMAT,
    CommandRow,
    EventRow,
    IssueRow,
    RecordedEvent,
    Settings,
    Standing,
)
from wavelane.journal.writer import Journal

__all__ = [
    "EVENT_VERSION",
    "FORMAT",
    "CommandRow",
    "EventRow",
    "IssueRow",
    "Journal",
    "JournalError",
    "JournalInUse",
    "JournalReader",
    "NotAJournal",
    "RecordedEvent",
    "Settings",
    "Standing",
    "decode_event",
    "definition_of",
    "encode_event",
    "explain_errors",
    "first_digest",
    "make_checked",
    "next_digest",
    "parse_json",
    "read_journal",
    "storable_text",
    "to_json",
]
