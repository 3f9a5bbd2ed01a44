"""What a run is when faults have stopped and it does not come to rest. Never how that is found: see the simulator."""

from __future__ import annotations

from raysim.exceptions import RaySystemError


class NotConvergedError(RaySystemError):
    """Faults stopped, the cluster healed, and within the bound something was still under way.

    `stuck`: one line for each thing that is, with what is known of why.
    """

    def __init__(self, within_s: float, stuck: list[str]) -> None:
        self.within_s = within_s
        self.stuck = stuck
        listed = "".join(f"\n  {line}" for line in stuck)
        super().__init__(
            f"The run has not converged within {within_s:g} s of virtual time after all faults had stopped "
            f"and the cluster was healed. Still there:{listed}"
        )

    def __reduce__(self) -> tuple[type[NotConvergedError], tuple[float, list[str]]]:
        return NotConvergedError, (self.within_s, self.stuck)
