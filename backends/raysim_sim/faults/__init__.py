"""Performs the faults of a run at their moments. Never decides which: see raysim.faults.plan."""

from raysim_sim.faults.strikes import Faults

__all__ = ["Faults"]
