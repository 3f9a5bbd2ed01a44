"""Counter, Gauge, Histogram: numbers that a program counts. Never sends them anywhere: see `collect`."""

import itertools
import re
import warnings
from bisect import bisect_left
from collections.abc import Sequence
from typing import Any, NamedTuple, Self
from weakref import WeakValueDictionary

PREFIX = "ray_"
"""Of every exported name."""

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")

Tags = tuple[tuple[str, str], ...]
"""Sorted pairs: what tells the series of one metric apart."""


class Sample(NamedTuple):
    """One number, as Prometheus names and types it."""

    name: str
    kind: str
    description: str
    tags: dict[str, str]
    value: float


class Metric:
    """A name, and a number for each combination of tags.

    Raises TypeError for tag keys that are no tuple of strings, ValueError for an empty name. An
    invalid name is warned of, and its numbers are dropped.
    """

    kind = ""

    def __init__(
        self, name: str, description: str = "", tag_keys: tuple[str, ...] | None = None
    ) -> None:
        if len(name) == 0:
            raise ValueError("Empty name is not allowed. Please provide a metric name.")
        self._name = name
        self._description = description
        self._tag_keys = _keys(tag_keys)
        self._default_tags: dict[str, str] = {}
        if _NAME.fullmatch(name):
            _metrics[next(_numbers)] = self
            if ":" in name:
                warnings.warn(
                    f"Metric name {name} contains a : character, which Ray will refuse one day: "
                    "leave it out.",
                    FutureWarning,
                    stacklevel=3,
                )
        else:
            warnings.warn(
                f"Invalid metric name: {name}. Metric will be discarded and data will not be "
                "collected or published. A name has letters, digits and '_', and does not start "
                "with a digit.",
                UserWarning,
                stacklevel=3,
            )

    @property
    def info(self) -> dict[str, Any]:
        """Name, description, tag keys and default tags."""
        return {
            "name": self._name,
            "description": self._description,
            "tag_keys": self._tag_keys,
            "default_tags": dict(self._default_tags),
        }

    def set_default_tags(self, default_tags: dict[str, str]) -> Self:
        """Values of tags that a call does not give. Raises ValueError for a key not declared."""
        for key, value in default_tags.items():
            if key not in self._tag_keys:
                raise ValueError(f"Unrecognized tag key {key}.")
            _check_tag(value)
        self._default_tags = dict(default_tags)
        return self

    def samples(self) -> list[Sample]:
        """The numbers of this object, in the order in which their tags first came."""
        raise NotImplementedError

    def _tags(self, tags: dict[str, str] | None) -> Tags:
        given = tags or {}
        for value in given.values():
            _check_tag(value)
        merged = {**self._default_tags, **given}
        missing = [key for key in self._tag_keys if key not in merged]
        if missing:
            raise ValueError(f"Missing value for tag key(s): {','.join(missing)}.")
        return tuple((key, merged[key]) for key in sorted(self._tag_keys))

    def _sample(self, suffix: str, tags: dict[str, str], value: float) -> Sample:
        return Sample(PREFIX + self._name + suffix, self.kind, self._description, tags, value)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self._arguments(), self._default_tags)

    def _arguments(self) -> dict[str, Any]:
        return {
            "name": self._name,
            "description": self._description,
            "tag_keys": self._tag_keys,
        }


class Counter(Metric):
    """A number that only grows; exported as `ray_<name>_total`."""

    kind = "counter"

    def __init__(
        self, name: str, description: str = "", tag_keys: tuple[str, ...] | None = None
    ) -> None:
        super().__init__(name, description, tag_keys)
        self._values: dict[Tags, float] = {}

    def inc(self, value: float = 1.0, tags: dict[str, str] | None = None) -> None:
        """Add `value`, which must be more than 0 (ValueError)."""
        _check_number(value)
        if value <= 0:
            raise ValueError(f"value must be >0, got {value}")
        key = self._tags(tags)
        self._values[key] = self._values.get(key, 0) + value

    def samples(self) -> list[Sample]:
        return [self._sample("_total", dict(tags), v) for tags, v in self._values.items()]


class Gauge(Metric):
    """A number that goes up and down."""

    kind = "gauge"

    def __init__(
        self, name: str, description: str = "", tag_keys: tuple[str, ...] | None = None
    ) -> None:
        super().__init__(name, description, tag_keys)
        self._values: dict[Tags, float] = {}

    def set(self, value: float | None, tags: dict[str, str] | None = None) -> None:
        """None leaves it as it is."""
        if value is None:
            return
        _check_number(value)
        self._values[self._tags(tags)] = value

    def samples(self) -> list[Sample]:
        return [self._sample("", dict(tags), v) for tags, v in self._values.items()]


class _Observed:
    """Of one combination of tags: how many fell into each bucket, and their sum."""

    __slots__ = ("counts", "sum")

    def __init__(self, buckets: int) -> None:
        self.counts = [0] * buckets
        self.sum = 0.0


class Histogram(Metric):
    """How often a number fell into each bucket; `boundaries` are their upper ends, ascending, > 0."""

    kind = "histogram"

    def __init__(
        self,
        name: str,
        description: str = "",
        boundaries: Sequence[float] | None = None,
        tag_keys: tuple[str, ...] | None = None,
    ) -> None:
        super().__init__(name, description, tag_keys)
        if not boundaries:
            raise ValueError(
                "boundaries argument should be provided when using the Histogram class, as in "
                'Histogram("name", boundaries=[1.0, 2.0])'
            )
        for index, boundary in enumerate(boundaries):
            if boundary <= 0:
                raise ValueError(
                    f"Invalid `boundaries` argument at index {index}, {boundaries}. "
                    "Use positive values for the arguments."
                )
        self.boundaries = boundaries
        self._ends = sorted(boundaries)
        self._values: dict[Tags, _Observed] = {}

    @property
    def info(self) -> dict[str, Any]:
        return {**super().info, "boundaries": self.boundaries}

    def observe(self, value: float, tags: dict[str, str] | None = None) -> None:
        """Count `value`."""
        _check_number(value)
        key = self._tags(tags)
        observed = self._values.get(key)
        if observed is None:
            observed = self._values[key] = _Observed(len(self._ends) + 1)
        observed.counts[bisect_left(self._ends, value)] += 1
        observed.sum += value

    def samples(self) -> list[Sample]:
        """Buckets are cumulative, as Prometheus has them; `le` is the upper end."""
        found: list[Sample] = []
        for key, observed in self._values.items():
            tags = dict(key)
            totals = list(itertools.accumulate(observed.counts))
            ends = [*(str(float(end)) for end in self._ends), "+Inf"]
            found += [
                self._sample("_bucket", {**tags, "le": end}, total)
                for end, total in zip(ends, totals, strict=True)
            ]
            found.append(self._sample("_sum", tags, observed.sum))
            found.append(self._sample("_count", tags, totals[-1]))
        return found

    def _arguments(self) -> dict[str, Any]:
        return {**super()._arguments(), "boundaries": self.boundaries}


_numbers = itertools.count()
_metrics: WeakValueDictionary[int, Metric] = WeakValueDictionary()
"""The metrics of this process that are alive, in the order in which they were made."""


def collect() -> list[Sample]:
    """The numbers of all metrics of this process. Metrics of one name and kind are one metric.

    Counters and histograms add up; of gauges the one made last counts. On the simulator all
    simulated processes are this one.
    """
    found: dict[tuple[str, str, Tags], Sample] = {}
    for number in sorted(_metrics):
        metric = _metrics.get(number)
        for sample in metric.samples() if metric is not None else ():
            key = (sample.name, sample.kind, tuple(sample.tags.items()))
            before = found.get(key)
            if before is not None and sample.kind != Gauge.kind:
                sample = sample._replace(value=before.value + sample.value)
            found[key] = sample
    return list(found.values())


def _rebuild(kind: type[Metric], arguments: dict[str, Any], default_tags: dict[str, str]) -> Metric:
    return kind(**arguments).set_default_tags(default_tags)


def _keys(tag_keys: Any) -> tuple[str, ...]:
    if tag_keys is None:
        return ()
    if not isinstance(tag_keys, tuple):
        raise TypeError(f"tag_keys should be a tuple type, got: {type(tag_keys)}")
    for key in tag_keys:
        if not isinstance(key, str):
            raise TypeError(f"Tag keys must be str, got {type(key)}.")
    return tag_keys


def _check_tag(value: Any) -> None:
    if not isinstance(value, str):
        raise TypeError(f"Tag values must be str, got {type(value)}.")


def _check_number(value: Any) -> None:
    if not isinstance(value, int | float):
        raise TypeError(f"value must be int or float, got {type(value)}.")
