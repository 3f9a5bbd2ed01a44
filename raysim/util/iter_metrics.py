"""What the functions of an iterator may note down, together. Never reported anywhere. Ray: `ray.util.iter_metrics`."""

from collections import defaultdict, deque
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from raysim.api.handles import ActorHandle
from raysim.api.session import connected


class Timer:
    """How long a block takes: `with metrics.timers["x"]:`. The means are of the last times."""

    def __init__(self, window_size: int = 10) -> None:
        self._samples: deque[float] = deque(maxlen=window_size)
        self._units: deque[float] = deque(maxlen=window_size)
        self._began: float | None = None
        self.count = 0

    def __enter__(self) -> None:
        assert self._began is None, "concurrent updates not supported"
        self._began = connected().now()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._began is not None, "it was not entered"
        self.push(connected().now() - self._began)
        self._began = None

    def push(self, time_delta: float) -> None:
        """It took so many seconds."""
        self._samples.append(time_delta)
        self.count += 1

    def push_units_processed(self, n: float) -> None:
        self._units.append(n)

    def has_units_processed(self) -> bool:
        return bool(self._units)

    @property
    def mean(self) -> float:
        return _mean(self._samples)

    @property
    def mean_units_processed(self) -> float:
        return _mean(self._units)

    @property
    def mean_throughput(self) -> float:
        """Units a second."""
        seconds = sum(self._samples)
        return sum(self._units) / seconds if seconds else 0.0


def _mean(values: deque[float]) -> float:
    return sum(values) / len(values) if values else 0.0


class MetricsContext:
    """Of a local iterator, for all its functions: `LocalIterator.get_metrics()`."""

    def __init__(self) -> None:
        self.counters: defaultdict[str, int] = defaultdict(int)
        self.timers: defaultdict[str, Timer] = defaultdict(Timer)
        self.info: dict[str, Any] = {}
        self.current_actor: ActorHandle | None = None
        """Which the last item came from; None where they come in rounds."""

    def save(self) -> dict[str, Any]:
        """What can be kept: no timers."""
        return {"counters": dict(self.counters), "info": dict(self.info), "timers": None}

    def restore(self, values: dict[str, Any]) -> None:
        """What `save` gave."""
        self.counters.clear()
        self.counters.update(values["counters"])
        self.timers.clear()
        self.info = values["info"]


class SharedMetrics:
    """A context that several iterators have: those that `union` joins."""

    def __init__(
        self,
        metrics: MetricsContext | None = None,
        parents: "Sequence[SharedMetrics] | None" = None,
    ) -> None:
        self.metrics = metrics or MetricsContext()
        self.parents = list(parents or [])
        self.set(self.metrics)

    def set(self, metrics: MetricsContext) -> None:
        """Of this one and of its parents."""
        self.metrics = metrics
        for parent in self.parents:
            parent.set(metrics)

    def get(self) -> MetricsContext:
        return self.metrics
