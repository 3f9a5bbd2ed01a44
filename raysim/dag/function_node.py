"""A remote function with its arguments. Never a check of them: `.remote()` does that. Ray: `ray.dag.FunctionNode`."""

from collections.abc import Callable
from typing import Any

from raysim.api.functions import RemoteFunction
from raysim.dag.dag_node import DAGNode


class FunctionNode(DAGNode):
    """What `f.bind(...)` gives."""

    def __init__(
        self, function: RemoteFunction, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        self._remote_function = function
        super().__init__(args, kwargs, dict(function._default_options))

    @property
    def _body(self) -> Callable[..., Any]:
        return self._remote_function._function

    def _execute_impl(self, *args: Any, **kwargs: Any) -> Any:
        return self._remote_function.remote(*self._bound_args, **self._bound_kwargs)

    def _body_line(self) -> str:
        return f"{self._body.__qualname__}()"
