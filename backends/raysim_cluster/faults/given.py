"""The faults that a cluster is started with. Never when they strike."""

from typing import TYPE_CHECKING

import msgspec

from raysim.backend import InitOptions
from raysim.faults import PlannedFault, fault_of, read_faults
from raysim.faults.of_gcs import needs_gcs_process
from raysim.journal import Journal

if TYPE_CHECKING:
    from raysim_cluster.world import ClusterWorld


def planned(world: "ClusterWorld") -> list[PlannedFault]:
    """Raises ValueError for one that this cluster cannot have, before anything is started."""
    return world.faults().plan(read_faults(world.options.world["faults"]))


def strikes_gcs(options: InitOptions) -> bool:
    """And not the head's raylet, so that they are two processes."""
    return needs_gcs_process(read_faults(options.world["faults"]))


def with_journal(options: InitOptions) -> InitOptions:
    """A fault that waits for something hears of it from the journal: there is one then, if none is kept."""
    faults = read_faults(options.world["faults"])
    waits = any(fault_of(fault).at.event for fault in faults)
    if options.journal is not None or not waits:
        return options
    return msgspec.structs.replace(options, journal=Journal(keep=False, digest=False))
