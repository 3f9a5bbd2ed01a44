"""What a graph is given when it runs, whole or in parts. Ray: `ray.dag.InputNode`."""

from types import TracebackType
from typing import Any

from raysim.dag.dag_node import DAGNode

_OWN = "__in_context_manager__"


class InputNode(DAGNode):
    """`with InputNode() as x:` stands for the argument of `execute`; `x[0]`, `x["k"]`, `x.k` for parts of it.

    With several arguments `x[0]` is the first of them and `x.k` the one given by keyword.
    """

    _is_input = True

    def __init__(self, *args: Any, input_type: Any = None, **kwargs: Any) -> None:
        if args or kwargs:
            raise ValueError("InputNode should not take any args or kwargs.")
        self.input_attribute_nodes: dict[int | str, InputAttributeNode] = {}
        self.input_type = input_type
        super().__init__((), {}, {}, {})

    def _execute_impl(self, *args: Any, **kwargs: Any) -> Any:
        assert self._bound_other_args_to_resolve.get(_OWN), (
            "InputNode is a singleton instance that should be only used in context manager for dag "
            "building and execution. See the docstring of class InputNode for examples."
        )
        if len(args) == 1 and not kwargs:
            return args[0]
        return DAGInputData(*args, **kwargs)

    def set_context(self, key: str, val: Any) -> None:
        self._bound_other_args_to_resolve[key] = val

    def __enter__(self) -> "InputNode":
        self.set_context(_OWN, True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass

    def __getattr__(self, key: str) -> "InputAttributeNode":
        if key.startswith("__") or key == "input_attribute_nodes":
            raise AttributeError(key)
        return self._part(key, is_attribute=True)

    def __getitem__(self, key: int | str) -> "InputAttributeNode":
        assert isinstance(key, str | int), (
            "Please only use int index or str as first-level key to access fields of dag input."
        )
        return self._part(key, is_attribute=False)

    def _part(self, key: int | str, is_attribute: bool) -> "InputAttributeNode":
        found = self.input_attribute_nodes.get(key)
        if found is None:
            found = InputAttributeNode(self, key, is_attribute)
            self.input_attribute_nodes[key] = found
        return found

    def _body_line(self) -> str:
        return "__InputNode__"


class InputAttributeNode(DAGNode):
    """One part of the input: an item of it, or an attribute."""

    def __init__(self, dag_input_node: InputNode, key: int | str, is_attribute: bool) -> None:
        self._key = key
        self._is_attribute = is_attribute
        super().__init__((), {}, {}, {"dag_input_node": dag_input_node, "key": key})

    def _execute_impl(self, *args: Any, **kwargs: Any) -> Any:
        given = self._bound_other_args_to_resolve["dag_input_node"]
        if isinstance(given, DAGInputData) or not self._is_attribute:
            return given[self._key]
        return getattr(given, str(self._key))

    def _body_line(self) -> str:
        return f"[{self._key!r}]"

    @property
    def key(self) -> int | str:
        return self._key


class DAGInputData:
    """Several arguments of `execute` as one value: `data[0]`, `data["k"]`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._args = args
        self._kwargs = kwargs

    def __getitem__(self, key: int | str) -> Any:
        if isinstance(key, int):
            return self._args[key]
        if isinstance(key, str):
            return self._kwargs[key]
        raise ValueError(
            "Please only use int index or str as first-level key to access fields of dag input."
        )
