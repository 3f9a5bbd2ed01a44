"""What is asked of whoever has machines. Never by the thread of a role: every call may take its time."""

from typing import Protocol

from raysim.spec.autoscaling import NodeType
from raysim.spec.growth import KubernetesPods, Machines
from raysim.spec.ids import NodeId
from raysim_cluster.session import Session


class MachineError(Exception):
    """Such a machine cannot be had, or ended, now. Says why."""


class MachineSource(Protocol):
    """Machines of one cluster; each runs one node, whose id is its name."""

    def start(self, node_id: NodeId, kind: NodeType) -> None:
        """Begin to start one. Raises MachineError."""

    def end(self, node_id: NodeId) -> None:
        """Begin to end it. Harmless where there is none. Raises MachineError."""

    def living(self) -> dict[NodeId, str]:
        """Those that run or are about to, of this life of the GCS or of one before, and of which type each is.

        Raises MachineError.
        """

    def close(self) -> None:
        """The cluster ends."""


def machine_source(machines: Machines, head: str, folder: str, session: Session) -> MachineSource:
    """`head`: `host:port`; `folder`: of the session."""
    if isinstance(machines, KubernetesPods):
        from raysim_cluster.growth.kubernetes import Pods

        return Pods(machines, head)
    from raysim_cluster.growth.local import LocalNodes

    return LocalNodes(head, folder, session)
