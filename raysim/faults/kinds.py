"""Every kind of fault. Never one more than is documented."""

from __future__ import annotations

from raysim.faults import links, machines, processes
from raysim.faults.model import Fault

FAULTS: tuple[type[Fault], ...] = (*processes.KINDS, *links.KINDS, *machines.KINDS)
"""In the order in which they are documented."""

BY_NAME: dict[str, type[Fault]] = {fault.tag(): fault for fault in FAULTS}
