"""Results of passes of a compiled graph: taken once, by whoever started the pass. Never objects of the cluster."""

from collections.abc import Generator
from typing import TYPE_CHECKING, Any, NoReturn

from raysim.api.binding import GraphRef

if TYPE_CHECKING:
    from raysim.dag.compiled_dag_node import CompiledDAG


class _Result:
    """One output of one pass."""

    __slots__ = ("__weakref__", "_dag", "_number", "_output", "_taken")

    def __init__(self, dag: "CompiledDAG", number: int, output: int | None) -> None:
        self._dag = dag
        self._number = number
        self._output = output
        """None: the only one."""
        self._taken = False

    def __str__(self) -> str:
        return (
            f"{type(self).__name__}({self._dag.get_id()}, execution_index={self._number}, "
            f"channel_index={self._output})"
        )

    __repr__ = __str__

    def __copy__(self) -> NoReturn:
        raise ValueError(f"{type(self).__name__} cannot be copied.")

    def __deepcopy__(self, memo: Any) -> NoReturn:
        raise ValueError(f"{type(self).__name__} cannot be deep copied.")

    def __reduce__(self) -> NoReturn:
        raise ValueError(f"{type(self).__name__} cannot be pickled.")

    def __del__(self) -> None:
        if not self._taken:
            self._dag._drop(self._number, self._output or 0)


class CompiledDAGRef(_Result, GraphRef):
    """What `CompiledDAG.execute` gives. For `ray.get`, once; not for `wait`, not as an argument."""

    __slots__ = ()

    def get(self, timeout: float | None = None) -> Any:
        """The value. `timeout` in seconds: None for the context's (10), -1 for ever, 0 for now or never.

        Raises what the method raised, RayChannelTimeoutError, ActorDiedError, and ValueError the
        second time.
        """
        if self._taken:
            raise ValueError(
                "ray.get() can only be called once on a CompiledDAGRef, and it was already called."
            )
        self._taken = True
        return self._dag._get(self._number, self._output or 0, timeout)


class CompiledDAGFuture(_Result):
    """What `CompiledDAG.execute_async` gives: to be awaited, once."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, None, Any]:
        if self._taken:
            raise ValueError(
                "CompiledDAGFuture can only be awaited upon once, and it has already been awaited "
                "upon."
            )
        self._taken = True
        return self._dag._get_async(self._number, self._output or 0).__await__()
