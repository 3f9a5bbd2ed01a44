"""Every kind of fault. Never one more than is documented."""

from __future__ import annotations

from raysim.faults import links, machines, processes
from raysim.faults.model import Fault

FAULTS: tuple[type[Fault], ...] = (
    *processes.KINDS,
    *links.KINDS,
    *machines.KINDS,
    processes.DrainNode,
)
"""As they are documented, and drawn: a new one comes last, so that what is drawn for the others stays."""

BY_NAME: dict[str, type[Fault]] = {fault.tag(): fault for fault in FAULTS}
