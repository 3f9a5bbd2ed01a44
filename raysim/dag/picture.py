"""A compiled graph as a picture, drawn by Graphviz. Never without it: see drawing, for text."""

from importlib import import_module
from typing import Any

from raysim.backend import Channel
from raysim.dag.checking import CheckedGraph
from raysim.dag.class_node import ClassMethodNode
from raysim.dag.dag_node import DAGNode
from raysim.dag.drawing import label

DRIVER = "driver"


def picture(
    checked: CheckedGraph, filename: str, format: str, view: bool, with_details: bool
) -> str:
    """Writes the files `filename`, for Graphviz, and `filename.png`; gives the text of the first.

    Raises ImportError where Graphviz's library is missing.
    """
    try:
        graphviz = import_module("graphviz")
    except ImportError:
        raise ImportError(
            "Please install graphviz to visualize the compiled graph. You can install it by running "
            "`pip install graphviz`. Without it, there is format='ascii'."
        ) from None
    text = _dot(checked, with_details)
    graphviz.Source(text, filename=filename, format=format).render(view=view)
    return text


def details(checked: CheckedGraph, channel: Channel, reader: str) -> str:
    """What the channel is for its reader: an actor's id, or `driver`. Raises ValueError where it does not read it."""
    named = {number: uuid for uuid, number in checked.channels.items()}
    uuid = named.get(channel.number)
    readers = {
        _place(node)
        for node in checked.nodes
        for upstream in node._upstream_nodes
        if upstream._stable_uuid == uuid
    }
    if reader not in readers:
        raise ValueError(
            f"Channel {channel.number} of this graph is not read by {reader}; it is by "
            f"{', '.join(sorted(readers)) or 'nobody'}."
        )
    writer = next(_place(node) for node in checked.nodes if node._stable_uuid == uuid)
    return f"{type(channel).__name__} {channel.number}\n{writer[:12]} to {reader[:12]}"


def _place(node: DAGNode) -> str:
    """Where it runs."""
    handle = node._get_actor_handle() if isinstance(node, ClassMethodNode) else None
    return DRIVER if handle is None else handle._ray_actor_id.hex()


def _dot(checked: CheckedGraph, with_details: bool) -> str:
    number = {node._stable_uuid: index for index, node in enumerate(checked.nodes)}
    lines = [f'  {number[node._stable_uuid]} [label="{label(node)}"];' for node in checked.nodes]
    for node in checked.nodes:
        for upstream in node._upstream_nodes:
            uuid = upstream._stable_uuid
            channel = checked.channels.get(uuid)
            told: Any = ""
            if with_details and channel is not None:
                words = details(checked, Channel(channel), _place(node)).replace("\n", "\\n")
                told = f' [label="{words}"]'
            lines.append(f"  {number[uuid]} -> {number[node._stable_uuid]}{told};")
    return "\n".join(["digraph {", "  rankdir=LR;", *lines, "}"]) + "\n"
