"""A graph whose channels are open: passes begun, results taken, limits kept. Never what a pass runs: see the actors.

Ray: `ray.dag.compiled_dag_node.CompiledDAG`.
"""

from collections import deque
from collections.abc import Sequence
from typing import Any, NoReturn

from raysim.api import session
from raysim.api.handles import ActorHandle, kill
from raysim.api.session import auto_init
from raysim.backend import Channel, CompiledGraph
from raysim.dag.checking import CheckedGraph, check
from raysim.dag.class_node import ClassMethodNode
from raysim.dag.compiled_dag_ref import CompiledDAGFuture, CompiledDAGRef
from raysim.dag.context import DAGContext
from raysim.dag.dag_node import DAGNode
from raysim.dag.drawing import draw
from raysim.dag.picture import details, picture
from raysim.exceptions import (
    ActorDiedError,
    RayCgraphCapacityExceeded,
    RayChannelError,
    RayChannelTimeoutError,
)
from raysim.runtime.current import current


class CompiledDAG:
    """What `experimental_compile` gives. For one thread at a time.

    Passes run in the order in which they were begun, several at once in different actors. Between its
    methods each actor runs ordinary calls.
    """

    def __init__(
        self,
        checked: CheckedGraph,
        graph: CompiledGraph,
        enable_asyncio: bool,
        max_inflight_executions: int,
        max_buffered_results: int,
    ) -> None:
        self._checked = checked
        self._graph = graph
        self._session = session.number
        self._enable_asyncio = enable_asyncio
        self._max_inflight = max_inflight_executions
        self._max_buffered = max_buffered_results
        self._outputs = range(len(checked.options.outputs))
        self._returns_list = checked.returns_list
        self._takes_one = checked.positional == 1 and checked.keys == [None]
        """A pass is given one value and nothing else."""
        self._in_flight: dict[int, set[int]] = {}
        """Passes whose results nobody has asked for, and the outputs that somebody still may."""
        self._buffered: dict[int, set[int]] = {}
        """Passes before one that was asked for, likewise."""
        self._dropped: deque[tuple[int, int]] = deque()
        """Results that nobody can ask for any more: noted by finalizers."""
        self._is_teardown = False
        self._told = False
        """Somebody has heard that an actor died."""

    # Passes

    def execute(self, *args: Any, **kwargs: Any) -> CompiledDAGRef | list[CompiledDAGRef]:
        """Begin a pass; a reference to its result, a list of them with a MultiOutputNode.

        Raises ValueError for the wrong arguments, RayCgraphCapacityExceeded when too many passes are
        under way, RayChannelError after `teardown` and after an actor's end.
        """
        if self._enable_asyncio:
            raise ValueError("Use execute_async if enable_asyncio=True")
        number = self._begin(args, kwargs)
        if self._returns_list:
            return [CompiledDAGRef(self, number, output) for output in self._outputs]
        return CompiledDAGRef(self, number, None)

    async def execute_async(
        self, *args: Any, **kwargs: Any
    ) -> CompiledDAGFuture | list[CompiledDAGFuture]:
        """As `execute`, for a graph compiled with `enable_asyncio=True`: futures to be awaited."""
        if not self._enable_asyncio:
            raise ValueError("Use execute if enable_asyncio=False")
        number = self._begin(args, kwargs)
        if self._returns_list:
            return [CompiledDAGFuture(self, number, output) for output in self._outputs]
        return CompiledDAGFuture(self, number, None)

    def _begin(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
        if self._takes_one and len(args) == 1 and not kwargs:
            values: Sequence[Any] = args
        else:
            values = self._values(args, kwargs)
        self._check_open()
        if self._dropped:
            self._settle()
        if len(self._in_flight) >= self._max_inflight:
            self._make_room()
        number = self._graph.start(values)
        self._in_flight[number] = set(self._outputs)
        return number

    def _values(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
        checked = self._checked
        if len(args) != checked.positional:
            raise ValueError(
                f"dag.execute() or dag.execute_async() must be called with {checked.positional} "
                f"positional args, got {len(args)}"
            )
        for keyword in checked.keywords:
            if keyword not in kwargs:
                raise ValueError(
                    f"dag.execute() or dag.execute_async() must be called with kwarg `{keyword}`"
                )
        if checked.keys == [None]:
            raise ValueError(
                "dag.execute() or dag.execute_async() takes no keyword arguments for a graph that "
                f"uses its whole input, got {', '.join(kwargs)}"
            )
        return [args[k] if isinstance(k, int) else kwargs[str(k)] for k in checked.keys]

    def _check_open(self) -> None:
        """A dead actor is told once as what it is, by the result; after that the channels are closed (Ray)."""
        if self._is_teardown or self._is_over():
            raise RayChannelError("Channel closed: the compiled graph was torn down.")
        if self._told:
            raise RayChannelError(
                "Channel closed: an actor of the compiled graph died. Compile another graph."
            )

    # Room

    def _drop(self, number: int, output: int) -> None:
        """From a finalizer: only notes it down."""
        self._dropped.append((number, output))

    def _settle(self) -> None:
        dropped = self._dropped
        while dropped:
            number, output = dropped.popleft()
            self._taken(number, output)
        self._let_go(wait=False)

    def _let_go(self, wait: bool) -> None:
        """Passes that nobody asks for are not under way any more once they are done."""
        for number in [number for number, left in self._in_flight.items() if not left]:
            if wait and not self._graph.wait(number, _seconds(None)):
                raise RayChannelTimeoutError(
                    f"Pass {number} of the compiled graph, whose result nobody can ask for any more,"
                    f" was not done within {_seconds(None)} s. If that is expected, raise "
                    "DAGContext.get_current().get_timeout; or else a method hangs."
                )
            if not self._graph.done(number):
                return
            del self._in_flight[number]
            self._graph.forget(number)
            wait = False

    def _make_room(self) -> None:
        oldest = next(iter(self._in_flight))
        if not self._in_flight[oldest]:
            self._let_go(wait=True)
            return
        raise RayCgraphCapacityExceeded(
            f"The compiled graph can't have more than {self._max_inflight} in-flight executions, "
            f"and you currently have {len(self._in_flight)} in-flight executions. Retrieve an output "
            "using ray.get before submitting more requests or increase `_max_inflight_executions`. "
            "`dag.experimental_compile(_max_inflight_executions=...)`"
        )

    # Results

    def _get(self, number: int, output: int, timeout: float | None) -> Any:
        if number in self._in_flight:
            self._fetch_until(number, timeout)
        return self._result(number, output)

    def _fetch_until(self, number: int, timeout: float | None) -> None:
        """What was begun before the pass that is asked for waits here from now on, for whoever asks."""
        while (before := next(iter(self._in_flight), number + 1)) <= number:
            if len(self._buffered) >= self._max_buffered:
                raise RayCgraphCapacityExceeded(
                    f"The compiled graph can't have more than {self._max_buffered} buffered "
                    f"results, and you currently have {len(self._buffered)} buffered results. Call "
                    "`ray.get()` on CompiledDAGRef's (or await on CompiledDAGFuture's) to retrieve "
                    "results, or increase `_max_buffered_results` if buffering is desired, note "
                    "that this will increase driver memory usage."
                )
            if not self._graph.wait(before, _seconds(timeout)):
                raise RayChannelTimeoutError(
                    f"Pass {number} of the compiled graph was not done within {_seconds(timeout)} s. "
                    "If the execution is expected to take a long time, give ray.get a timeout or "
                    "raise DAGContext.get_current().get_timeout; or else a method hangs."
                )
            self._fetched(before)

    def _fetched(self, number: int) -> None:
        left = self._in_flight.pop(number)
        if left:
            self._buffered[number] = left
        else:
            self._graph.forget(number)

    async def _get_async(self, number: int, output: int) -> Any:
        if number in self._in_flight:
            await self._graph.ready(number)
        if (
            number in self._in_flight
        ):  # Still: another output of it may have been awaited meanwhile.
            self._fetched(number)
        return self._result(number, output)

    def _result(self, number: int, output: int) -> Any:
        try:
            return self._graph.result(number, output)
        except ActorDiedError:
            self._told = self._told or not self._graph.is_open()
            raise
        finally:
            self._taken(number, output)

    def _taken(self, number: int, output: int) -> None:
        """This output is not asked for again."""
        left = self._buffered.get(number)
        if left is None:
            left = self._in_flight.get(number, set())
            left.discard(output)
            return
        left.discard(output)
        if not left:
            del self._buffered[number]
            self._graph.forget(number)

    # The end

    @property
    def is_teardown(self) -> bool:
        return self._is_teardown

    def teardown(self, kill_actors: bool = False) -> None:
        """Close the graph: passes under way go nowhere; their results raise RayChannelError.

        The actors live on, for ordinary calls and other graphs, unless `kill_actors`.
        """
        if self._is_teardown or self._is_over():
            return
        self._is_teardown = True
        self._graph.close()
        if kill_actors:
            for handle in self._handles():
                kill(handle)

    def _is_over(self) -> bool:
        """The session in which the graph was compiled has ended, and the graph with it."""
        return self._session != session.number or current() is None

    def _handles(self) -> list[ActorHandle]:
        calls = [node for node in self._checked.nodes if isinstance(node, ClassMethodNode)]
        handles = [call._get_actor_handle() for call in calls if call.is_class_method_call]
        return list({handle: None for handle in handles if handle is not None})

    def __del__(self) -> None:
        if not self._is_teardown and not self._is_over():
            self._graph.close_soon()

    def __reduce__(self) -> NoReturn:
        raise ValueError("CompiledDAG cannot be pickled: its channels belong to this process.")

    # What it is

    def get_id(self) -> str:
        return self._graph.graph_id.hex()

    def __str__(self) -> str:
        return f"CompiledDAG({self.get_id()})"

    __repr__ = __str__

    def get_channel_details(self, channel: Channel, downstream_actor_id: str) -> str:
        """What a channel of this graph is for the actor with this id, or for the "driver".

        Raises ValueError where that does not read it.
        """
        return details(self._checked, channel, downstream_actor_id)

    def visualize(
        self,
        filename: str = "compiled_graph",
        format: str = "png",
        view: bool = False,
        channel_details: bool = False,
    ) -> str:
        """The graph as a picture, drawn by Graphviz, and its text; or as a drawing in text ("ascii").

        `view` shows the picture, or prints the drawing. `channel_details`: which channel each edge is.
        Raises ImportError where Graphviz's library is missing.
        """
        if format != "ascii":
            return picture(self._checked, filename, format, view, channel_details)
        if channel_details:
            raise ValueError("Parameters 'channel_details' are not compatible with 'ascii' format.")
        text = draw(self._checked.nodes)
        if view:
            print(text)  # noqa: T201  (what was asked for)
        return text


def compile_dag(
    output: DAGNode,
    *,
    submit_timeout: float | None,
    buffer_size_bytes: int | None,
    enable_asyncio: bool,
    max_inflight_executions: int | None,
    max_buffered_results: int | None,
    default_communicator: Any,
) -> CompiledDAG:
    """Check the graph, then open it at its actors. See `DAGNode.experimental_compile`.

    `submit_timeout` changes nothing: a pass that may begin never waits.
    """
    context = DAGContext.get_current()
    if output.is_cgraph_output_node:
        raise ValueError(
            "It is not allowed to call `experimental_compile` on the same DAG object multiple times "
            "no matter whether `teardown` is called or not. Please reuse the existing compiled DAG or "
            "create a new one."
        )
    size: Any = context.buffer_size_bytes if buffer_size_bytes is None else buffer_size_bytes
    if not isinstance(size, int) or size <= 0:
        raise ValueError(f"`buffer_size_bytes` must be a positive integer, found {size}")
    if default_communicator not in ("create", None):
        raise ValueError(
            "The only allowed string for default_communicator is 'create', got "
            f"{default_communicator}: raysim moves tensors through host memory only."
        )
    checked = check(output)
    output.is_cgraph_output_node = True
    backend = current() or auto_init()
    return CompiledDAG(
        checked,
        backend.compile_graph(checked.options),
        enable_asyncio,
        _or(max_inflight_executions, context.max_inflight_executions),
        _or(max_buffered_results, context.max_buffered_results),
    )


def _or(given: int | None, usual: int) -> int:
    return usual if given is None else given


def _seconds(timeout: float | None) -> float | None:
    if timeout is None:
        timeout = DAGContext.get_current().get_timeout
    return None if timeout == -1 else timeout
