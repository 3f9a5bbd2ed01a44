"""Performs the faults of a run at their moments. Never decides which: see raysim.faults.plan."""
