"""What `.bind` of functions, classes and methods makes. Never called by a program: see `raysim.api.binding`."""

from typing import Any

from raysim.api.actors import ActorClass
from raysim.api.functions import RemoteFunction
from raysim.api.handles import ActorMethod
from raysim.dag.class_node import ClassMethodNode, ClassNode
from raysim.dag.constants import (
    BIND_INDEX_KEY,
    IS_CLASS_METHOD_OUTPUT_KEY,
    PARENT_CLASS_NODE_KEY,
    PREV_CLASS_METHOD_CALL_KEY,
)
from raysim.dag.function_node import FunctionNode


def function(
    function: RemoteFunction, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> FunctionNode:
    return FunctionNode(function, args, kwargs)


def actor_class(cls: ActorClass, args: tuple[Any, ...], kwargs: dict[str, Any]) -> ClassNode:
    return ClassNode(cls, args, kwargs)


def method(method: ActorMethod, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A node; a tuple of them, one for each value, of a method that returns several."""
    handle, count = method._handle, method._options.num_returns
    other: dict[str, Any] = {PARENT_CLASS_NODE_KEY: handle, PREV_CLASS_METHOD_CALL_KEY: None}
    node = ClassMethodNode(method._method.name, args, kwargs, {"num_returns": count}, other)
    node._bound_method = method
    other[BIND_INDEX_KEY] = node._order
    if count <= 1:
        return node
    about = {IS_CLASS_METHOD_OUTPUT_KEY: True, PARENT_CLASS_NODE_KEY: handle}
    return tuple(
        ClassMethodNode(f"return_idx_{index}", (node, index), {}, {}, about)
        for index in range(count)
    )
