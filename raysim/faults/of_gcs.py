"""Which faults strike the GCS and not the head's raylet. Never what they do."""

from collections.abc import Iterable
from typing import Final

from raysim.faults.machines import LoseGcsCommit, TearGcsCommit
from raysim.faults.model import Fault
from raysim.faults.plan import PlannedFault, fault_of
from raysim.faults.processes import PauseGcs, RestartGcs

OF_GCS: Final = (RestartGcs, PauseGcs, LoseGcsCommit, TearGcsCommit)


def needs_gcs_process(faults: Iterable[Fault | PlannedFault]) -> bool:
    """Whether the GCS has to be a process of its own."""
    return any(isinstance(fault_of(fault), OF_GCS) for fault in faults)


def check_gcs_process(faults: Iterable[Fault | PlannedFault], remedy: str) -> None:
    """Raises ValueError for one of these, where the GCS is none. `remedy`: what to do, a sentence."""
    for fault in map(fault_of, faults):
        if isinstance(fault, OF_GCS):
            raise ValueError(f"{fault}: here the GCS is part of the head's raylet. {remedy}")
