"""What binds collective operations to nodes of a graph. Never runs one: see `raysim.dag.collective_node`.

Ray: `ray.experimental.collective.operations`.
"""

from typing import Any

from raysim.dag.collective_node import CollectiveOutputNode, bind
from raysim.experimental.util.types import AllGatherOp, AllReduceOp, ReduceOp, ReduceScatterOp
from raysim.util import collective
from raysim.util.collective.types import ReduceOp as GroupOp

Bound = list[CollectiveOutputNode]


class AllGather:
    """Every actor gets the tensors of all, one after another along the first axis."""

    def bind(self, input_nodes: list[Any], transport: Any = None) -> Bound:
        """A node for each of the nodes, on the same actor. Raises ValueError for nodes that do not match."""
        made: Bound = bind(input_nodes, AllGatherOp(), transport)
        return made

    def __call__(self, tensor_list: list[Any], tensor: Any, group_name: str = "default") -> None:
        """As `raysim.util.collective.allgather`."""
        collective.allgather(tensor_list, tensor, group_name)


class AllReduce:
    """Every actor gets the reduction of the tensors of all."""

    def bind(
        self, input_nodes: list[Any], op: ReduceOp = ReduceOp.SUM, transport: Any = None
    ) -> Any:
        """A node for each of the nodes, on the same actor; of lists of nodes, a list for each actor.

        Raises ValueError for nodes that do not match.
        """
        return bind(input_nodes, AllReduceOp(_checked(op)), transport)

    def __call__(self, tensor: Any, group_name: str = "default", op: GroupOp = GroupOp.SUM) -> None:
        """As `raysim.util.collective.allreduce`."""
        collective.allreduce(tensor, group_name, op)


class ReduceScatter:
    """Actor n gets the n-th part of the reduction of the tensors of all, cut along the first axis."""

    def bind(
        self, input_nodes: list[Any], op: ReduceOp = ReduceOp.SUM, transport: Any = None
    ) -> Bound:
        """A node for each of the nodes, on the same actor. Raises ValueError for nodes that do not match."""
        made: Bound = bind(input_nodes, ReduceScatterOp(_checked(op)), transport)
        return made

    def __call__(
        self,
        tensor: Any,
        tensor_list: list[Any],
        group_name: str = "default",
        op: GroupOp = GroupOp.SUM,
    ) -> None:
        """As `raysim.util.collective.reducescatter`."""
        collective.reducescatter(tensor, tensor_list, group_name, op)


def _checked(op: object) -> ReduceOp:
    if not isinstance(op, ReduceOp):
        raise ValueError(f"Unexpected operation: {op}")
    return op


allgather = AllGather()
allreduce = AllReduce()
reducescatter = ReduceScatter()
