"""Invariants over a simulated cluster and its journal: what holds, what broke it. Never part of the protocol."""

from raysim.checks.cluster import Cluster, ProcessSeen
from raysim.checks.finding import BrokenInvariantError, Finding
from raysim.checks.ledger import AT_REST, EMPTY, STEPS, Ledger

__all__ = [
    "AT_REST",
    "EMPTY",
    "STEPS",
    "BrokenInvariantError",
    "Cluster",
    "Finding",
    "Ledger",
    "ProcessSeen",
]
