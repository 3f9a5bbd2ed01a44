"""A compiled graph as text. Never more than a sketch: lines may cross in a wide graph."""

from raysim.dag.class_node import ClassMethodNode
from raysim.dag.dag_node import DAGNode
from raysim.dag.input_node import InputAttributeNode

COLUMN = 30
"""Characters from one node of a layer to the next."""


def draw(nodes: list[DAGNode]) -> str:
    """Numbered nodes, edges, and the layers of the graph from top to bottom."""
    number = {id(node): index for index, node in enumerate(nodes)}
    edges = [
        (number[id(upstream)], number[id(node)])
        for node in nodes
        for upstream in node._upstream_nodes
        if id(upstream) in number
    ]
    lines = ["Nodes Information:"]
    lines += [f'{index} [label="Task {index}  {label(node)}"]' for index, node in enumerate(nodes)]
    lines += ["", "Edges Information:"]
    lines += [f"{start} ---> {end}" for start, end in edges]
    lines += ["", "Legend:", "---> : a channel of messages; large values in shared memory"]
    lines += ["", "Graph Built:", *_grid(nodes, edges)]
    return "\n".join(lines) + "\n"


def label(node: DAGNode) -> str:
    if isinstance(node, InputAttributeNode):
        return f"InputAttributeNode[{node.key}]"
    if not isinstance(node, ClassMethodNode):
        return type(node).__name__
    if node.is_class_method_output:
        return f"ClassMethodOutputNode[{node.output_idx}]"
    return f"Actor: {_actor(node)}... Method: {node.get_method_name()}"


def _short(node: DAGNode) -> str:
    if not isinstance(node, ClassMethodNode):
        return type(node).__name__
    if node.is_class_method_output:
        return f"Output[{node.output_idx}]"
    return f"Actor_{_actor(node)}:{node.get_method_name()}"


def _actor(node: ClassMethodNode) -> str:
    handle = node._get_actor_handle()
    return "unknown" if handle is None else handle._ray_actor_id.hex()[:6]


def _grid(nodes: list[DAGNode], edges: list[tuple[int, int]]) -> list[str]:
    layers = _layers(len(nodes), edges)
    place = {
        node: (2 * y, COLUMN * x) for y, layer in enumerate(layers) for x, node in enumerate(layer)
    }
    width = COLUMN * max(len(layer) for layer in layers)
    grid = [[" "] * width for _ in range(2 * len(layers) - 1)]
    for start, end in edges:
        _join(grid, place[start], place[end])
    for node, (y, x) in place.items():
        text = f"{node}:{_short(nodes[node])}"[: COLUMN - 1]
        grid[y][x : x + len(text)] = text
    return ["".join(row).rstrip() for row in grid]


def _layers(count: int, edges: list[tuple[int, int]]) -> list[list[int]]:
    """Each node one below the lowest of those that it depends on; numbers grow along the edges."""
    depth = [0] * count
    for start, end in sorted(edges, key=lambda edge: edge[1]):
        depth[end] = max(depth[end], depth[start] + 1)
    return [[n for n in range(count) if depth[n] == y] for y in range(max(depth) + 1)]


def _join(grid: list[list[str]], start: tuple[int, int], end: tuple[int, int]) -> None:
    """Down from the start, then across above the end, with an arrow's head towards it."""
    (y1, x1), (y2, x2) = start, end
    for y in range(y1 + 1, y2):
        if grid[y][x1] == " ":
            grid[y][x1] = "|"
    row = grid[y2 - 1]
    for x in range(min(x1, x2) + 1, max(x1, x2)):
        if row[x] == " ":
            row[x] = "-"
    if x1 != x2:
        row[x2] = "|"
        row[x2 - 1 if x1 < x2 else x2 + 1] = ">" if x1 < x2 else "<"
