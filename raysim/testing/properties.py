"""Properties that a program states of itself: always, sometimes, reachable, eventually. Never decides what runs.

The words are those of Antithesis and of the FoundationDB simulator. They work in the driver, in tasks and in
actors. What they see is kept for the run (`always`), and for the campaign, which is all runs of one test
(`sometimes`, `reachable`): one run in which something rare did not happen says nothing, a thousand do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from raysim.testing.clock import now_ns, sleep, who

FIRST_POLL_S: Final = 0.001
LAST_POLL_S: Final = 0.5
"""Between two looks of `eventually`: short at first, longer and longer. Ours."""


class PropertyError(AssertionError):
    """A property that a program states of itself does not hold."""


class Seen:
    """What the properties of one campaign saw."""

    def __init__(self) -> None:
        self.hits: dict[str, int] = {}
        """How often each `sometimes` and `reachable` was true, in the order in which they were first met."""
        self.broken: list[PropertyError] = []
        """Of this run: a program may have caught what `always` raised."""

    def never_hit(self) -> list[str]:
        return [label for label, hits in self.hits.items() if not hits]

    def begin_run(self) -> None:
        self.broken.clear()


_seen = Seen()


def seen() -> Seen:
    """Of the campaign that runs in this process; there is always one."""
    return _seen


def begin_campaign(labels: tuple[str, ...] = ()) -> Seen:
    """From now on, what properties see is of another campaign, in which these labels are expected."""
    global _seen
    _seen = Seen()
    _seen.hits = dict.fromkeys(labels, 0)
    return _seen


def always(condition: object, message: str) -> None:
    """This holds whenever the program comes here. Raises PropertyError, and the run fails even if that is caught."""
    if not condition:
        raise _break(f"always: {message}")


def sometimes(condition: object, message: str) -> None:
    """This holds at least once in a campaign: in some run, for somebody who comes here. `message` names it."""
    _seen.hits[message] = _seen.hits.get(message, 0) + bool(condition)


def reachable(message: str) -> None:
    """The program comes here at least once in a campaign. `message` names the place."""
    sometimes(True, message)


def eventually(
    condition: Callable[[], object], message: str = "", *, within: float, every: float | None = None
) -> None:
    """Wait until `condition()` holds, for at most `within` seconds (virtual ones, in a simulation).

    It is asked again and again, `every` so many seconds if given. Raises PropertyError when the time is over.
    """
    end_ns = now_ns() + round(within * 1e9)
    pause_s = FIRST_POLL_S if every is None else every
    while not condition():
        left_s = (end_ns - now_ns()) / 1e9
        if left_s <= 0:
            what = message or getattr(condition, "__name__", "the condition")
            raise _break(f"eventually: {what}: not within {within:g} s")
        sleep(min(pause_s, left_s))
        pause_s = min(2 * pause_s, LAST_POLL_S) if every is None else every


def _break(text: str) -> PropertyError:
    by = who()
    error = PropertyError(f"{text} ({by} at {now_ns() / 1e9:.6f} s)" if by else text)
    _seen.broken.append(error)
    return error
