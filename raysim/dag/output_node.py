"""Several results of one graph. Ray: `ray.dag.MultiOutputNode`."""

from typing import Any

from raysim.dag.dag_node import DAGNode


class MultiOutputNode(DAGNode):
    """`MultiOutputNode([a, b])`: what runs it gets a list. Raises ValueError for what is no list or tuple."""

    def __init__(self, args: list[DAGNode] | tuple[DAGNode, ...]) -> None:
        given: Any = args
        if not isinstance(given, list | tuple):
            raise ValueError(f"Invalid input type for `args`, {type(given)}.")
        super().__init__(args, {}, {})

    def _execute_impl(self, *args: Any, **kwargs: Any) -> Any:
        return list(self._bound_args)

    def _body_line(self) -> str:
        return "__MultiOutputNode__"
