"""Actors that a graph creates, and calls on them and on actors that live already. Ray: `ray.dag.ClassNode`."""

from typing import Any, NoReturn

from raysim.api.actors import ActorClass
from raysim.api.handles import ActorHandle, ActorMethod
from raysim.dag.constants import (
    BIND_INDEX_KEY,
    IS_CLASS_METHOD_OUTPUT_KEY,
    PARENT_CLASS_NODE_KEY,
    PREV_CLASS_METHOD_CALL_KEY,
)
from raysim.dag.dag_node import DAGNode


class ClassNode(DAGNode):
    """What `A.bind(...)` gives: `node.method.bind(...)` calls a method of the actor that it will create.

    Raises ValueError for an InputNode among the arguments: an actor is made once, not for each input.
    """

    def __init__(self, cls: ActorClass, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._actor_class = cls
        self._last_call: ClassMethodNode | None = None
        super().__init__(args, kwargs, dict(cls._default_options))
        if any(node._is_input for node in self._upstream_nodes):
            raise ValueError(
                "InputNode handles user dynamic input the DAG, and cannot be used as args, kwargs, "
                "or other_args_to_resolve in ClassNode constructor because it is not available at "
                "class construction or binding time."
            )

    @property
    def _body(self) -> type:
        return self._actor_class._cls

    def _execute_impl(self, *args: Any, **kwargs: Any) -> Any:
        return self._actor_class.remote(*self._bound_args, **self._bound_kwargs)

    def _body_line(self) -> str:
        return f"{self._body.__qualname__}()"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in ("_actor_class", "_last_call"):
            raise AttributeError(name)  # While unpickling, before there is a class to ask.
        if name == "bind" and "bind" not in dir(self._body):
            raise AttributeError(f".bind() cannot be used again on {type(self)}")
        getattr(self._body, name)
        return UnboundClassMethodNode(self, name, {})


class UnboundClassMethodNode:
    """`class_node.method`, before `bind`."""

    def __init__(self, actor: ClassNode, method_name: str, options: dict[str, Any]) -> None:
        self._actor = actor
        self._method_name = method_name
        self._options = options

    def bind(self, *args: Any, **kwargs: Any) -> "ClassMethodNode":
        other = {
            PARENT_CLASS_NODE_KEY: self._actor,
            PREV_CLASS_METHOD_CALL_KEY: self._actor._last_call,
        }
        node = ClassMethodNode(self._method_name, args, kwargs, self._options, other)
        self._actor._last_call = node
        return node

    def options(self, **options: Any) -> "UnboundClassMethodNode":
        return UnboundClassMethodNode(self._actor, self._method_name, options)

    def __getattr__(self, name: str) -> NoReturn:
        if name == "remote":
            raise AttributeError(
                ".remote() cannot be used on ClassMethodNodes. Use .bind() instead to express an "
                "symbolic actor call."
            )
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


class ClassMethodNode(DAGNode):
    """A call of a method; or one of the values of a call that returns several (`output_idx`)."""

    def __init__(
        self,
        method_name: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        options: dict[str, Any],
        other_args_to_resolve: dict[str, Any],
    ) -> None:
        self._method_name = method_name
        self._bound_method: ActorMethod | None = None
        """Of an actor that lives already, with its options."""
        super().__init__(args, kwargs, options, other_args_to_resolve)
        # Of a call that is an output: kept apart, for in a copy the argument is its result.
        is_output = other_args_to_resolve.get(IS_CLASS_METHOD_OUTPUT_KEY, False)
        self._output: tuple[ClassMethodNode, int] | None = (args[0], args[1]) if is_output else None

    @property
    def _parent(self) -> Any:
        """The actor's node or handle; the handle, too, of an actor's node in a copy that is executed."""
        return self._bound_other_args_to_resolve[PARENT_CLASS_NODE_KEY]

    def _execute_impl(self, *args: Any, **kwargs: Any) -> Any:
        if self._output is not None:
            return self._bound_args[0][self._output[1]]
        method = self._bound_method
        if method is None:
            called: ActorMethod = getattr(self._parent, self._method_name)
            method = called.options(**self._bound_options) if self._bound_options else called
        return method.remote(*self._bound_args, **self._bound_kwargs)

    def called(self) -> tuple[str, tuple[Any, ...]]:
        """Which method of the actor runs, and with which arguments."""
        return self._method_name, self._bound_args

    def _body_line(self) -> str:
        return f"{self._method_name}()"

    def get_method_name(self) -> str:
        return self._method_name

    def _get_bind_index(self) -> int | None:
        index: int | None = self._bound_other_args_to_resolve.get(BIND_INDEX_KEY)
        return index

    def _get_actor_handle(self) -> ActorHandle | None:
        parent = self._parent
        return parent if isinstance(parent, ActorHandle) else None

    @property
    def num_returns(self) -> int:
        """Of the call; of an output: of the call that it is of."""
        if self._output is not None:
            return self._output[0].num_returns
        given: int | None = self._bound_options.get("num_returns")
        if given is None:
            method: ActorMethod = getattr(self._parent, self._method_name)
            return method._options.num_returns
        return given

    @property
    def is_class_method_call(self) -> bool:
        return self._output is None

    @property
    def is_class_method_output(self) -> bool:
        return self._output is not None

    @property
    def class_method_call(self) -> "ClassMethodNode | None":
        """Of an output: the call."""
        return None if self._output is None else self._output[0]

    @property
    def output_idx(self) -> int | None:
        return None if self._output is None else self._output[1]
