"""Faults of a real GCS that is a process of its own. Never of the head's raylet, which looks after that process."""

from typing import TYPE_CHECKING, Final

from raysim.faults import Fault, PlannedFault
from raysim.faults.machines import LoseGcsCommit
from raysim.faults.processes import PauseGcs, RestartGcs
from raysim_cluster.control import Done, EndGcs, LoseCommit
from raysim_cluster.control import PauseGcs as Pause
from raysim_cluster.faults.effect import Effect, Perform, Told

if TYPE_CHECKING:
    from raysim_cluster.faults.nodes import Node
    from raysim_cluster.faults.strikes import Faults


def restart_gcs(faults: "Faults", planned: PlannedFault, fault: RestartGcs, told: Told) -> None:
    """Not what `heal` ends: it comes back in any case."""
    head = faults.nodes[0]
    faults.order(head, EndGcs(fault.lasting), lambda done: told(Effect(_name(head, done))))


def pause_gcs(faults: "Faults", planned: PlannedFault, fault: PauseGcs, told: Told) -> None:
    head = faults.nodes[0]
    go_on = faults.undo(head, Pause(False))
    faults.order(head, Pause(True), lambda done: told(Effect(_name(head, done), go_on)))


def lose_gcs_commit(
    faults: "Faults", planned: PlannedFault, fault: LoseGcsCommit, told: Told
) -> None:
    head = faults.nodes[0]
    over = faults.undo(head, LoseCommit(None))
    strike = LoseCommit(fault.lasting)
    faults.order(head, strike, lambda done: told(Effect(_name(head, done), over)))


def _name(head: "Node", done: Done) -> str:
    return f"{head.name}/gcs" if done.target else f"{head.name}/gcs, which was gone already"


PERFORMED: Final[dict[type[Fault], Perform]] = {
    RestartGcs: restart_gcs,
    PauseGcs: pause_gcs,
    LoseGcsCommit: lose_gcs_commit,
}
