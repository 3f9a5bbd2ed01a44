"""Which things of a timeline are drawn beside each other. Never what they are."""

from collections.abc import Iterable


def lanes(times: Iterable[tuple[float, float]]) -> list[int]:
    """A lane for each (start, end), in the order of starts, such that none of a lane overlap; the fewest."""
    free_at: list[float] = []
    found: list[int] = []
    for start, end in times:
        free = (lane for lane, free_from in enumerate(free_at) if free_from <= start)
        lane = next(free, len(free_at))
        free_at[lane : lane + 1] = [end]
        found.append(lane)
    return found
