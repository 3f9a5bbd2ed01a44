"""What the person who runs the tests asked for. Never parses an option: the pytest plugin sets this."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class Asked:
    """Process-wide; None where each test decides."""

    seeds: int | None = None
    """Instead of the test's own number."""
    replay: str | None = None
    """A seed, or a file of a failure: only that run."""
    test: str = ""
    """The test that runs, as pytest names it."""
    begin_run: Callable[[], None] | None = None
    """Called before each run: forget what earlier runs printed."""


asked = Asked()
