"""One published figure beside what was measured here. Never how it was measured."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """Compared by `low <= measured <= high`."""

    figure: str
    """What is compared, such as `mean time in system, lambda 0.9, d 2`."""
    published: float
    measured: float
    low: float
    """Least value that passes: the published one and its tolerance, or the measured interval's."""
    high: float
    note: str = ""
    """How wide the measured interval is, how many runs, or why another bound holds."""

    @property
    def passed(self) -> bool:
        return self.low <= self.measured <= self.high


def exact(figure: str, published: float, measured: float) -> Row:
    return Row(figure, published, measured, published, published)


def within(figure: str, published: float, measured: float, tolerance: float, note: str = "") -> Row:
    """`tolerance` in the unit of the figure, both ways."""
    return Row(figure, published, measured, published - tolerance, published + tolerance, note)


def ordered(figure: str, larger: float, smaller: float, note: str = "") -> Row:
    """The first has to be the larger one: shown as their ratio, which is above 1."""
    return Row(figure, 1.0, larger / smaller, 1.0, float("inf"), note or "an order: above 1")
