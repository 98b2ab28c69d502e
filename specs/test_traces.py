"""Layer 4 in its short form, and that each of its checks can fail."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path

import pytest

from specs import traces
from wavelane.journal import Journal, RecordedEvent, Standing, next_digest


@pytest.mark.layer
def test_journals_are_believed_and_forgeries_rejected() -> None:
    results = traces.run()

    assert [result.detail for result in results if not result.passed] == []
    assert [result.property for result in results] == [
        "believes",
        "goes on",
        "rejects",
        "notices",
        "survives",
    ]
    assert all(result.amount > 0 for result in results)


def test_a_run_is_the_same_when_its_seed_is_tried_again(tmp_path: Path) -> None:
    first = traces.random_run(tmp_path / "first.db", 7)
    second = traces.random_run(tmp_path / "second.db", 7)

    assert first == second


def test_an_executor_that_loses_an_event_is_not_believed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    append = Journal.append

    def lossy(
        journal: Journal,
        entries: Sequence[RecordedEvent],
        standings: Iterable[tuple[str, Standing]],
        answers: Iterable[tuple[int, str]] = (),
    ) -> None:
        kept = [entry for entry in entries if getattr(entry.event, "session", None) != 2]
        append(journal, kept, standings, answers)

    monkeypatch.setattr(Journal, "append", lossy)

    assert any("breaks the rules" in found for found in traces._believes(tmp_path, 5))


@pytest.mark.slow
def test_a_hash_chain_that_does_not_cover_the_events_lets_damage_through(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("wavelane.journal.writer", "wavelane.verify.verdict", "specs.forgeries"):
        module = import_module(name)  # `wavelane.verify` is the function, seen from the package
        monkeypatch.setattr(module, "next_digest", lambda digest, row: next_digest(digest, ()))
    list(traces._believes(tmp_path, 100))
    list(traces._goes_on(tmp_path, 100))

    assert any("not found" in found for found in traces._damaged(tmp_path, 100, rehashed=False))
