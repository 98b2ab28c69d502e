"""Notices: what happens in a run, as a stream for a user interface."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Literal

from wavelane_model.lifecycle import State, Trigger


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that happened.

    Attributes:
        at: When, in seconds since the epoch.
        kind: "issue": an issue moved; "cap": the cap moved; "end": the run ended.
        issue: The id of the issue that moved.
        repo: Its repo.
        trigger: The trigger by which it moved.
        source: The state it left.
        target: The state it entered.
        reason: Why it moved; at the end, the outcome of the run.
        level: The cap's level now.
    """

    at: float
    kind: Literal["issue", "cap", "end"]
    issue: str = ""
    repo: str = ""
    trigger: Trigger | None = None
    source: State | None = None
    target: State | None = None
    reason: str = ""
    level: int | None = None


class NoticeStream(AsyncIterator[Notice]):
    """The notices of a run from now on, until it ends. Keeps those not yet read."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Notice | None] = asyncio.Queue()

    def put(self, notice: Notice | None) -> None:
        """Add a notice, or None for the end."""
        self._queue.put_nowait(notice)

    def __aiter__(self) -> NoticeStream:
        return self

    async def __anext__(self) -> Notice:
        notice = await self._queue.get()
        if notice is None:
            self._queue.put_nowait(None)  # later calls find the end, too
            raise StopAsyncIteration
        return notice


class Audience:
    """The streams of notices of a run."""

    def __init__(self) -> None:
        self._streams: list[NoticeStream] = []
        self._is_over = False

    def join(self) -> NoticeStream:
        """Start listening."""
        stream = NoticeStream()
        if self._is_over:
            stream.put(None)
        self._streams.append(stream)
        return stream

    @property
    def listens(self) -> bool:
        """Whether anyone has joined."""
        return bool(self._streams)

    def publish(self, notice: Notice) -> None:
        """Send a notice to all listeners."""
        for stream in self._streams:
            stream.put(notice)

    def end(self) -> None:
        """The run is over: every stream ends, including any joined later."""
        self._is_over = True
        for stream in self._streams:
            stream.put(None)
