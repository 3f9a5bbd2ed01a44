"""Collective operations as nodes of a graph: each actor computes its own result. Never a group of processes.

Every actor of an operation reads the tensors of all, and reduces them itself: values travel as any others,
and what is large lies in the store of a node once, for all its actors. Ray: `ray.dag.collective_node`.
"""

import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from raysim.api.handles import ActorHandle
from raysim.dag.class_node import ClassMethodNode
from raysim.dag.constants import (
    BIND_INDEX_KEY,
    COLLECTIVE_OPERATION_KEY,
    IS_CLASS_METHOD_OUTPUT_KEY,
    PARENT_CLASS_NODE_KEY,
)
from raysim.dag.dag_node import DAGNode
from raysim.experimental.util.types import AllGatherOp, AllReduceOp, ReduceOp, ReduceScatterOp
from raysim.util.collective import types
from raysim.util.collective.tensors import as_array, reduced

if TYPE_CHECKING:
    from numpy.typing import NDArray

Op = AllGatherOp | AllReduceOp | ReduceScatterOp

_GROUP_OPS = {
    ReduceOp.SUM: types.ReduceOp.SUM,
    ReduceOp.AVG: types.ReduceOp.SUM,
    ReduceOp.PRODUCT: types.ReduceOp.PRODUCT,
    ReduceOp.MIN: types.ReduceOp.MIN,
    ReduceOp.MAX: types.ReduceOp.MAX,
}


class CollectiveOperation:
    """Which actors take part, in their order, and in what."""

    def __init__(self, actor_handles: list[ActorHandle], op: Op) -> None:
        self.actor_handles = actor_handles
        self.op = op


class CollectiveOutputNode(ClassMethodNode):
    """The result of a collective operation on one of its actors.

    Its arguments are the nodes of all actors, of which `rank` is the place of its own.
    """

    _rank = 0

    @property
    def collective_op(self) -> CollectiveOperation:
        op: CollectiveOperation = self._bound_other_args_to_resolve[COLLECTIVE_OPERATION_KEY]
        return op

    @property
    def num_returns(self) -> int:
        return 1

    def called(self) -> tuple[str, tuple[Any, ...]]:
        function = partial(compute, self.collective_op.op, self._rank)
        return "__ray_call__", (function, *self._bound_args)

    def _execute_impl(self, *args: Any, **kwargs: Any) -> Any:
        method, values = self.called()
        return getattr(self._parent, method).remote(*values)


def bind(input_nodes: list[Any], op: Op, transport: Any) -> Any:
    """A node for each of the nodes; for each actor a list of them, where lists of nodes are given."""
    if transport is not None:
        raise ValueError(
            f"transport={transport!r} is not supported: raysim moves tensors through host memory only. "
            "Leave it out."
        )
    nested = bool(input_nodes) and isinstance(input_nodes[0], list)
    if nested and not isinstance(op, AllReduceOp):
        raise ValueError(
            "Currently binding a nested list of dag nodes is only supported for allreduce"
        )
    lists = input_nodes if nested else [input_nodes]
    handles = [_handles(nodes, f" at index {i}" if nested else "") for i, nodes in enumerate(lists)]
    _check_alike(handles)
    results = [_bound(nodes, CollectiveOperation(handles[0], op)) for nodes in lists]
    return [list(of_actor) for of_actor in zip(*results, strict=True)] if nested else results[0]


def _bound(nodes: list[ClassMethodNode], operation: CollectiveOperation) -> list[Any]:
    made = []
    for rank, handle in enumerate(operation.actor_handles):
        other: dict[str, Any] = {
            PARENT_CLASS_NODE_KEY: handle,
            COLLECTIVE_OPERATION_KEY: operation,
            IS_CLASS_METHOD_OUTPUT_KEY: False,
        }
        node = CollectiveOutputNode(_name(operation.op), tuple(nodes), {}, {}, other)
        node._rank = rank
        other[BIND_INDEX_KEY] = node._order
        made.append(node)
    return made


def _name(op: Op) -> str:
    match op:
        case AllGatherOp():
            return "allgather"
        case AllReduceOp(reduceOp=reduce_op):
            return f"allreduce.{reduce_op}"
        case ReduceScatterOp(reduceOp=reduce_op):
            return f"reducescatter.{reduce_op}"


def _handles(nodes: list[Any], where: str) -> list[ActorHandle]:
    """The actors of the nodes."""
    if not nodes:
        raise ValueError(f"Expected non-empty input list{where}.")
    if not all(isinstance(node, DAGNode) for node in nodes):
        raise ValueError(f"Expected all input nodes to be DAGNode{where}, but got {nodes}.")
    if len({id(node) for node in nodes}) != len(nodes):
        raise ValueError(f"Expected unique input nodes{where}, but found duplicates: {nodes}")
    handles = [
        node._get_actor_handle() if isinstance(node, ClassMethodNode) else None for node in nodes
    ]
    found = [handle for handle in handles if handle is not None]
    if len(found) != len(nodes):
        raise ValueError(f"Expected an actor handle from the input node{where}")
    if len(set(found)) != len(found):
        raise ValueError(
            f"Expected unique actor handles{where}, but found duplicate actor handles from input "
            f"nodes: {nodes}"
        )
    return found


def _check_alike(handles: list[list[ActorHandle]]) -> None:
    first = handles[0]
    for index, others in enumerate(handles):
        if len(others) != len(first):
            raise ValueError(
                "Expected all input lists to have the same number of nodes. List at index 0 has length "
                f"{len(first)}, but list at index {index} has length {len(others)}."
            )
        if set(others) != set(first):
            raise ValueError(
                "Expected all input lists to have the same set of actor handles. List at index 0 has "
                f"actors {set(first)}, but list at index {index} has actors {set(others)}."
            )
        if others != first:
            raise ValueError(
                "Expected all input lists to have the same order of actor handles. List at index 0 has "
                f"actors {first}, but list at index {index} has actors {others}."
            )


def compute(op: Op, rank: int, _: object, *tensors: Any) -> Any:
    """In the actor: its result, a new tensor of the kind that it was given. Raises ValueError."""
    try:
        arrays = [as_array(tensor) for tensor in tensors]
    except RuntimeError as error:
        raise ValueError(f"Expected a tensor for each input node: {error}") from None
    result = _computed(op, rank, arrays)
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(tensors[0], torch.Tensor):
        return torch.from_numpy(result)
    return result


def _computed(op: Op, rank: int, arrays: "list[NDArray[Any]]") -> "NDArray[Any]":
    import numpy

    if isinstance(op, AllGatherOp):
        return numpy.concatenate(arrays)
    if isinstance(op, AllReduceOp):
        return _reduced(arrays, op.reduceOp)
    count, size = len(arrays[0]), len(arrays)
    if count % size:
        raise ValueError(
            "Expected the first dimension of the input tensor to be divisible by the world size "
            f"{size}, but it is {count}"
        )
    part = slice(rank * count // size, (rank + 1) * count // size)
    return _reduced([array[part] for array in arrays], op.reduceOp)


def _reduced(arrays: "list[NDArray[Any]]", op: ReduceOp) -> "NDArray[Any]":
    """Never one of the arrays themselves: those are views of objects."""
    shapes = {array.shape for array in arrays}
    if len(shapes) > 1:
        raise ValueError(f"Expected tensors of one shape, but got {sorted(shapes)}")
    result = reduced(arrays, _GROUP_OPS[op])
    if op is ReduceOp.AVG:
        return result / len(arrays)
    return result.copy() if len(arrays) == 1 else result
