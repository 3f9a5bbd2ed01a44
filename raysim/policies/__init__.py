"""Pure decisions: which node. Never a clock, never I/O, no memory but their own."""

from collections.abc import Callable
from difflib import get_close_matches

from raysim.config import Config
from raysim.policies.base import Policy
from raysim.policies.hybrid import Hybrid
from raysim.policies.spread import Spread


def _hybrid(config: Config) -> Policy:
    return Hybrid(
        config.scheduler_spread_threshold,
        config.scheduler_top_k_fraction,
        config.scheduler_top_k_absolute,
    )


def _spread(config: Config) -> Policy:
    return Spread()


POLICIES: dict[str, Callable[[Config], Policy]] = {"hybrid": _hybrid, "spread": _spread}
"""Name to what makes it. Each raylet, and the GCS, has an object of its own."""


def create(name: str, config: Config) -> Policy:
    """A new policy of that name. Raises ValueError with the nearest name when there is none."""
    make = POLICIES.get(name)
    if make is not None:
        return make(config)
    close = get_close_matches(name, POLICIES, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(POLICIES)}"
    raise ValueError(f"no placement policy {name!r}: {hint}")


__all__ = ["POLICIES", "Hybrid", "Policy", "Spread", "create"]
