"""Policies that plan a whole workflow before it runs: each task's node, and its turn there. Never runs one."""

from raysim.policies.planning.graph import Graph
from raysim.policies.planning.schedule import Planned, Schedule

__all__ = ["Graph", "Planned", "Schedule"]
