"""A graph as a picture for Graphviz. Never draws it: `plot` writes the text that Graphviz draws."""

from pathlib import Path
from typing import Any

from raysim.dag.dag_node import DAGNode

TEXTS = (".dot", ".gv")


def plot(dag: DAGNode, to_file: Any = None) -> str:
    """The graph in Graphviz's language, written to `to_file` (.dot or .gv) if given. Ray: `ray.dag.plot`.

    Raises ValueError for a picture's suffix: `dot -Tpng graph.dot -o graph.png` makes one.
    """
    text = _dot(dag)
    if to_file is not None:
        path = Path(to_file)
        if path.suffix not in TEXTS:
            raise ValueError(
                f"plot writes Graphviz's text, to a file *.dot or *.gv, and not {path.name}. "
                f"Draw it with: dot -Tpng {path.stem}.dot -o {path.stem}.png"
            )
        path.write_text(text)
    return text


def _dot(dag: DAGNode) -> str:
    nodes: dict[str, DAGNode] = {}
    edges: dict[tuple[str, str], None] = {}

    def visit(node: DAGNode) -> None:
        if node._stable_uuid in nodes:
            return
        nodes[node._stable_uuid] = node
        for upstream in node._upstream_nodes:
            edges[upstream._stable_uuid, node._stable_uuid] = None
            visit(upstream)

    visit(dag)
    numbers = {uuid: number for number, uuid in enumerate(sorted(nodes, key=_order(nodes)))}
    lines = [f'  {numbers[uuid]} [label="{_label(nodes[uuid])}"];' for uuid in numbers]
    lines += sorted(f"  {numbers[a]} -> {numbers[b]};" for a, b in edges)
    return "\n".join(["digraph {", "  rankdir=LR;", *lines, "}"]) + "\n"


def _order(nodes: dict[str, DAGNode]) -> Any:
    return lambda uuid: nodes[uuid]._order


def _label(node: DAGNode) -> str:
    return node._body_line().replace('"', "'")
