"""What all nodes of a graph share: their arguments, the nodes around them, ways through the graph.

Never what a node does: see the module of each kind. Ray: `ray.dag.DAGNode`.
"""

import asyncio
import warnings
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4  # noqa: TID251  (a simulated program's draws are virtual)

from raysim.api.annotations import RayDeprecationWarning
from raysim.dag.scanner import find, replace
from raysim.experimental.channel import ChannelOutputType
from raysim.experimental.channel.auto_transport_type import AutoTransportType
from raysim.experimental.channel.torch_tensor_type import TorchTensorType
from raysim.experimental.util.types import Device

if TYPE_CHECKING:
    from raysim.dag.compiled_dag_node import CompiledDAG

T = TypeVar("T")

_bound = count()


class DAGNode:
    """A step of a graph, with its arguments: values, nodes, and containers of both.

    A node is what `bind` gives; it does nothing until the graph is executed.
    """

    def __init__(
        self,
        args: Iterable[Any],
        kwargs: dict[str, Any],
        options: dict[str, Any],
        other_args_to_resolve: dict[str, Any] | None = None,
    ) -> None:
        self._bound_args: tuple[Any, ...] = tuple(args)
        self._bound_kwargs = kwargs
        self._bound_options = options
        self._bound_other_args_to_resolve = other_args_to_resolve or {}
        self._stable_uuid = uuid4().hex
        self._downstream_nodes: list[DAGNode] = []
        self._upstream_nodes = list(self._found())
        self.cache_from_last_execute: dict[str, Any] = {}
        self._type_hint = ChannelOutputType()
        self.is_cgraph_output_node = False
        """It was compiled."""
        # In the order of binding, and above all that it depends on though that was bound elsewhere.
        self._order: int = max([next(_bound), *(node._order + 1 for node in self._upstream_nodes)])
        for node in self._upstream_nodes:
            node._downstream_nodes.append(self)

    def _found(self) -> Iterator["DAGNode"]:
        parts = (self._bound_args, self._bound_kwargs, self._bound_other_args_to_resolve)
        for part in parts:
            yield from find(part, DAGNode)

    # What it was bound with

    def get_args(self) -> tuple[Any, ...]:
        return self._bound_args

    def get_kwargs(self) -> dict[str, Any]:
        return self._bound_kwargs.copy()

    def get_options(self) -> dict[str, Any]:
        return self._bound_options.copy()

    def get_other_args_to_resolve(self) -> dict[str, Any]:
        return self._bound_other_args_to_resolve.copy()

    def get_stable_uuid(self) -> str:
        """The same for copies of this node."""
        return self._stable_uuid

    # Running it

    def execute(self, *args: Any, _ray_cache_refs: bool = False, **kwargs: Any) -> Any:
        """Submit every node of the graph below this one once, as ordinary tasks and actor calls.

        The arguments are those of the InputNode. Gives what `.remote()` of this node gives: a
        reference, a list of them, or a handle. Deprecated in Ray 2.60, and warns as there.
        """
        warnings.warn(
            "DAGNode.execute() is deprecated and will be removed in a future release.",
            RayDeprecationWarning,
            stacklevel=2,
        )
        results: dict[str, Any] = {}

        def run(node: DAGNode) -> Any:
            result = results[node._stable_uuid] = node._execute_impl(*args, **kwargs)
            return result

        result = self.apply_recursive(run)
        if _ray_cache_refs:
            self.cache_from_last_execute = results
        return result

    async def get_object_refs_from_last_execute(self) -> dict[str, Any]:
        """What each node gave in the last `execute(_ray_cache_refs=True)`, by its uuid."""
        return {
            uuid: await value if isinstance(value, asyncio.Task) else value
            for uuid, value in self.cache_from_last_execute.items()
        }

    def clear_cache(self) -> None:
        self.cache_from_last_execute = {}

    def _execute_impl(self, *args: Any, **kwargs: Any) -> Any:
        """Of a copy whose arguments are results already."""
        raise NotImplementedError(f"{type(self).__name__} cannot be executed")

    def experimental_compile(
        self,
        _submit_timeout: float | None = None,
        _buffer_size_bytes: int | None = None,
        enable_asyncio: bool = False,
        _max_inflight_executions: int | None = None,
        _max_buffered_results: int | None = None,
        _overlap_gpu_communication: bool | None = None,
        _default_communicator: Any = "create",
    ) -> "CompiledDAG":
        """Open channels between the actors of this graph, so that running it needs no scheduling.

        Only methods of actors that were created already. Raises ValueError or NotImplementedError
        that says what cannot be compiled, ActorDiedError when one of the actors is dead.
        `_max_inflight_executions` (10): passes begun whose results were not asked for;
        `_max_buffered_results` (1000): results that arrived and wait to be taken.
        """
        from raysim.dag.compiled_dag_node import compile_dag

        return compile_dag(
            self,
            submit_timeout=_submit_timeout,
            buffer_size_bytes=_buffer_size_bytes,
            enable_asyncio=enable_asyncio,
            max_inflight_executions=_max_inflight_executions,
            max_buffered_results=_max_buffered_results,
            default_communicator=_default_communicator,
        )

    def with_tensor_transport(
        self,
        transport: Any = "auto",
        device: str = "default",
        _static_shape: bool = False,
        _direct_return: bool = False,
    ) -> "DAGNode":
        """How tensors leave this node: through the node's memory ("auto", "shm"), without a device.

        Raises ValueError for accelerators, which raysim does not drive.
        """
        if device not in (Device.DEFAULT.value, Device.CPU.value):
            raise ValueError(
                f"Invalid device '{device}'. Valid options are: 'default', 'cpu': raysim moves "
                "tensors through host memory only."
            )
        if transport not in ("auto", "shm"):
            raise ValueError(
                f"Invalid transport type: {transport}. Transport must be 'auto' or 'shm': raysim "
                "moves tensors through host memory only."
            )
        kind = AutoTransportType if transport == "auto" else TorchTensorType
        self._type_hint = kind(
            device=Device(device), _static_shape=_static_shape, _direct_return=_direct_return
        )
        return self

    @property
    def type_hint(self) -> ChannelOutputType:
        """What its values are, as `with_tensor_transport` says."""
        return self._type_hint

    @type_hint.setter
    def type_hint(self, type_hint: ChannelOutputType) -> None:
        self._type_hint = type_hint

    # Ways through the graph

    def apply_recursive(self, fn: "Callable[[DAGNode], T]") -> T:
        """`fn` of each node below and of this one, once each, children first; what it gave for this one.

        `fn` gets a copy of the node with the results of its children in their places.
        """
        results: dict[str, Any] = {}
        inputs: dict[str, None] = {}

        def apply(node: DAGNode) -> Any:
            uuid = node._stable_uuid
            if uuid not in results:
                if node._is_input:
                    inputs[uuid] = None
                    assert len(inputs) == 1, "Each DAG should only have one unique InputNode."
                results[uuid] = fn(node._with_children(apply))
            return results[uuid]

        result: T = apply(self)
        return result

    def traverse_and_apply(self, fn: "Callable[[DAGNode], Any]") -> None:
        """`fn` of every node that is joined with this one, above or below, once each."""
        for node in self._connected():
            fn(node)

    def _connected(self) -> list["DAGNode"]:
        found: dict[int, DAGNode] = {id(self): self}
        queue = [self]
        for node in queue:
            for near in (*node._downstream_nodes, *node._upstream_nodes):
                if id(near) not in found:
                    found[id(near)] = near
                    queue.append(near)
        return queue

    def apply_functional(
        self,
        source_input_list: Any,
        predicate_fn: "Callable[[DAGNode], bool]",
        apply_fn: "Callable[[DAGNode], Any]",
    ) -> Any:
        """The given value with `apply_fn(node)` for those nodes inside that fulfil the predicate."""
        done: dict[int, Any] = {}

        def apply(node: DAGNode) -> Any:
            if id(node) not in done:
                done[id(node)] = apply_fn(node) if predicate_fn(node) else node
            return done[id(node)]

        return replace(source_input_list, DAGNode, apply)

    _is_input = False

    def _with_children(self, result: "Callable[[DAGNode], Any]") -> "DAGNode":
        copy: DAGNode = object.__new__(type(self))
        copy.__dict__.update(self.__dict__)
        copy._bound_args = replace(self._bound_args, DAGNode, result)
        copy._bound_kwargs = replace(self._bound_kwargs, DAGNode, result)
        copy._bound_other_args_to_resolve = replace(
            self._bound_other_args_to_resolve, DAGNode, result
        )
        return copy

    # As an object

    def _body_line(self) -> str:
        return type(self).__name__

    def __str__(self) -> str:
        return f"({type(self).__name__}, {self._stable_uuid})({self._body_line()})"

    def __repr__(self) -> str:
        return str(self)

    def __getattr__(self, name: str) -> Any:
        if name == "bind":
            raise AttributeError(f".bind() cannot be used again on {type(self)}")
        if name == "remote":
            raise AttributeError(
                f".remote() cannot be used on {type(self)}. To execute the task graph for this "
                "node, use .execute()."
            )
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
