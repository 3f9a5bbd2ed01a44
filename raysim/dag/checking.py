"""From a graph that was bound to what can be compiled, or why it cannot. Never opens a channel.

The rules and their errors are those of Ray's compiled graphs.
"""

from typing import Any

import msgspec

from raysim.backend import BoundMethod, Channel, GraphOptions
from raysim.dag.class_node import ClassMethodNode
from raysim.dag.dag_node import DAGNode
from raysim.dag.function_node import FunctionNode
from raysim.dag.input_node import InputAttributeNode, InputNode
from raysim.dag.output_node import MultiOutputNode
from raysim.dag.scanner import find


class CheckedGraph(msgspec.Struct):
    """A graph that can be compiled. `keys`: which part of the arguments goes into which input channel."""

    options: GraphOptions
    nodes: list[DAGNode]
    """In the order of their numbers."""
    keys: list[int | str | None]
    """None: all of it."""
    returns_list: bool
    positional: int
    """Arguments by position that `execute` takes."""
    keywords: list[str]
    """Those that it has to get by keyword."""
    channels: dict[str, int]
    """Of each node that gives a value, by its uuid."""


def check(output: DAGNode) -> CheckedGraph:
    """Raises ValueError, or NotImplementedError for what Ray does not implement either."""
    nodes = sorted(_nodes_of(output), key=lambda node: node._order)
    for node in nodes:
        _check_kind(node)
    calls = [node for node in nodes if isinstance(node, ClassMethodNode)]
    inputs = _inputs(nodes)
    _check_leaves(nodes, output)
    outputs = list(output._bound_args) if isinstance(output, MultiOutputNode) else [output]
    for node in outputs:
        if not isinstance(node, ClassMethodNode):
            raise ValueError(
                f"The output of a compiled graph is what methods return, but {node} is among it."
            )
    channels = _channels(inputs, calls)
    by_position = [key for key in inputs if isinstance(key, int)]
    options = GraphOptions(
        [_method(call, channels) for call in calls if call.is_class_method_call],
        list(range(len(inputs))),
        [channels[node._stable_uuid] for node in outputs],
    )
    return CheckedGraph(
        options,
        nodes,
        list(inputs),
        isinstance(output, MultiOutputNode),
        1 if None in inputs else max(by_position, default=-1) + 1,
        [key for key in inputs if isinstance(key, str)],
        channels,
    )


def _nodes_of(output: DAGNode) -> list[DAGNode]:
    """All that is joined with the input of this node."""
    root = output
    while not isinstance(root, InputNode):
        if not root._upstream_nodes:
            raise ValueError(
                "No InputNode found in the DAG: when traversing upwards, no upstream node was found "
                f"for {root}."
            )
        root = root._upstream_nodes[0]
    nodes = root._connected()
    compiled = [node for node in nodes if node.is_cgraph_output_node and node is not output]
    if compiled:
        raise ValueError(
            "The DAG was compiled more than once. The following two nodes call "
            f"`experimental_compile`: (1) {compiled[0]}, (2) {output}"
        )
    return nodes


def _check_kind(node: DAGNode) -> None:
    if isinstance(node, FunctionNode):
        raise NotImplementedError("Compiled DAGs currently only support actor method nodes")
    if isinstance(node, ClassMethodNode):
        _check_call(node)
    elif not isinstance(node, InputNode | InputAttributeNode | MultiOutputNode):
        raise ValueError(
            "Compiled DAGs can only bind methods to an actor that is already created with "
            f"Actor.remote(), but {node} would create one."
        )


def _check_call(node: ClassMethodNode) -> None:
    if node._get_actor_handle() is None:
        raise ValueError(
            "Compiled DAGs can only bind methods to an actor that is already created with "
            f"Actor.remote(), but the actor of {node} is not."
        )
    if node.num_returns < 1:
        raise ValueError(f"Compiled DAGs need methods that return values, but {node} returns none.")
    for arg in node._bound_args:
        inside = [] if isinstance(arg, DAGNode) else list(find(arg, DAGNode))
        if inside:
            raise ValueError(
                f"Found {len(inside)} DAGNodes from the arg {arg} in {node}. Please ensure that the "
                "argument is a single DAGNode and that a DAGNode is not allowed to be placed inside "
                "any type of container."
            )
    if any(True for _ in find(node._bound_kwargs, DAGNode)):
        raise ValueError(
            "Compiled DAG currently does not support binding to other DAG nodes as kwargs"
        )
    if not any(isinstance(arg, DAGNode) for arg in node._bound_args):
        raise ValueError(
            "Compiled DAGs require each task to take a ray.dag.InputNode or at least one other "
            f"DAGNode as an input. Invalid task node:\n{node}\nPlease bind the task to proper DAG "
            "nodes."
        )


def _inputs(nodes: list[DAGNode]) -> dict[int | str | None, DAGNode]:
    """What the methods take of the input: all of it (None), or parts of it by their keys."""
    if sum(isinstance(node, InputNode) for node in nodes) > 1:
        raise ValueError("Compiled DAGs require exactly one InputNode, but there are more.")
    used: dict[int | str | None, DAGNode] = {}
    for node in nodes:
        if isinstance(node, ClassMethodNode):
            for arg in node._bound_args:
                if isinstance(arg, InputNode):
                    used[None] = arg
                elif isinstance(arg, InputAttributeNode):
                    used[arg.key] = arg
    if None in used and len(used) > 1:
        raise ValueError(
            "All tasks must either use InputNode() directly, or they must index to specific args or "
            "kwargs."
        )
    unused = [n.key for n in nodes if isinstance(n, InputAttributeNode) and n.key not in used]
    if unused:
        raise ValueError(
            "Compiled Graph expects input to be accessed using all of attributes "
            f"{', '.join(map(str, unused))}, but they are unused. Ensure all input attributes are used."
        )
    return used


def _check_leaves(nodes: list[DAGNode], output: DAGNode) -> None:
    leaves = [
        node
        for node in nodes
        if isinstance(node, ClassMethodNode) and not node._downstream_nodes and node is not output
    ]
    if leaves:
        raise ValueError(
            "Compiled DAG doesn't support leaf nodes, i.e., nodes that don't have downstream nodes "
            f"and are not output nodes. There are {len(leaves)} leaf nodes in the DAG. Please add the "
            f"outputs of {[leaf.get_method_name() for leaf in leaves]} to the MultiOutputNode."
        )


def _channels(
    inputs: dict[int | str | None, DAGNode], calls: list[ClassMethodNode]
) -> dict[str, int]:
    """Of each node that gives a value, by its uuid. A call that returns several gives none itself."""
    found = {node._stable_uuid: number for number, node in enumerate(inputs.values())}
    for call in calls:
        if call.num_returns == 1 or call.is_class_method_output:
            found[call._stable_uuid] = len(found)
    return found


def _method(call: ClassMethodNode, channels: dict[str, int]) -> BoundMethod:
    handle = call._get_actor_handle()
    assert handle is not None
    method, given = call.called()
    args: list[Any] = [
        Channel(channels[arg._stable_uuid]) if isinstance(arg, DAGNode) else arg for arg in given
    ]
    if call.num_returns == 1:
        outputs = [channels[call._stable_uuid]]
    else:
        values = [n for n in call._downstream_nodes if isinstance(n, ClassMethodNode) and n._output]
        values.sort(key=lambda value: value.output_idx or 0)
        outputs = [channels[value._stable_uuid] for value in values]
    return BoundMethod(handle._ray_actor_id, method, tuple(args), call._bound_kwargs, outputs)
