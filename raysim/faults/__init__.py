"""What can go wrong, as data, and the plan that decides each case. Never performs a fault."""

from raysim.faults.model import Fault, KillNode, KillWorker, Moment
from raysim.faults.plan import PlannedFault, plan_faults
from raysim.faults.text import parse_fault

__all__ = [
    "Fault",
    "KillNode",
    "KillWorker",
    "Moment",
    "PlannedFault",
    "parse_fault",
    "plan_faults",
]
