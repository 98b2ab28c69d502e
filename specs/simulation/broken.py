"""Broken schedulers: the real one, with one part of it replaced by a part that has a mistake."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from wavelane import Scheduler
from wavelane.scheduler import scheduler


def with_part(part: type) -> type[Scheduler]:
    """A scheduler that is made with `part` in place of the part that it is a subclass of."""
    (replaced,) = part.__bases__

    class Broken(Scheduler):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            with patch.object(scheduler, replaced.__name__, part):
                super().__init__(*arguments, **options)

    Broken.__name__ = Broken.__qualname__ = part.__name__
    return Broken
