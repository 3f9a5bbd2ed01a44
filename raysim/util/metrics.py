"""Counter, Gauge, Histogram: numbers that a program counts. Never keeps them: see runtime.measured.

The dashboard of a head shows those of all processes of its cluster under `/metrics`.
"""

import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, Self

import msgspec

from raysim.runtime.current import current
from raysim.runtime.measured import About, Measured, Tags
from raysim.spec.address import NOWHERE
from raysim.spec.ids import job_id
from raysim.spec.state import Noun
from raysim.util.state.client import connected
from raysim.util.state.submitted import inquiry

PREFIX = "ray_"
"""Of every exported name."""

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")

_ASKED_S: Final = 3.0
"""Less than Prometheus waits."""

_outside = Measured()
"""What is counted while this process is in no cluster."""


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
        self._about = About(name, self.kind, description)
        self._is_named = _NAME.fullmatch(name) is not None
        if self._is_named:
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

    def _tags(self, tags: dict[str, str] | None) -> Tags:
        given = tags or {}
        for value in given.values():
            _check_tag(value)
        merged = {**self._default_tags, **given}
        missing = [key for key in self._tag_keys if key not in merged]
        if missing:
            raise ValueError(f"Missing value for tag key(s): {','.join(missing)}.")
        return tuple((key, merged[key]) for key in sorted(self._tag_keys))

    def _measured(self) -> Measured:
        """Of this process. One with an invalid name goes nowhere."""
        if not self._is_named:
            return Measured()
        process = current()
        return _outside if process is None else process.measured

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

    def inc(self, value: float = 1.0, tags: dict[str, str] | None = None) -> None:
        """Add `value`, which must be more than 0 (ValueError)."""
        _check_number(value)
        if value <= 0:
            raise ValueError(f"value must be >0, got {value}")
        self._measured().add(self._about, self._tags(tags), value)


class Gauge(Metric):
    """A number that goes up and down."""

    kind = "gauge"

    def set(self, value: float | None, tags: dict[str, str] | None = None) -> None:
        """None leaves it as it is."""
        if value is None:
            return
        _check_number(value)
        self._measured().put(self._about, self._tags(tags), value)


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
        self._about = self._about._replace(ends=tuple(sorted(boundaries)))

    @property
    def info(self) -> dict[str, Any]:
        return {**super().info, "boundaries": self.boundaries}

    def observe(self, value: float, tags: dict[str, str] | None = None) -> None:
        """Count `value`."""
        _check_number(value)
        self._measured().observe(self._about, self._tags(tags), value)

    def _arguments(self) -> dict[str, Any]:
        return {**super()._arguments(), "boundaries": self.boundaries}


def collect() -> list[Sample]:
    """The numbers of this process. Metrics of one name and kind are one metric: counters and histograms add up, of
    gauges what was set last counts."""
    process = current()
    measured = _outside if process is None else process.measured
    return [
        Sample(PREFIX + row.name + suffix, row.kind, row.description, tags, value)
        for row in measured.rows(NOWHERE, job_id(0))
        for suffix, tags, value in row.numbers
    ]


class Rows(NamedTuple):
    """Of a cluster: see `samples_of`."""

    rows: list[dict[str, Any]]
    """One for each metric of each process that lives, and of those that have ended in good order, together."""
    ended: frozenset[str]
    """These, by `worker_id`, the latest of them."""


def cluster_rows() -> Rows:
    """What all processes of the connected cluster have counted. Who does not answer in 3 s is left out. Raises
    RaySystemError without the GCS."""
    backend = connected(None)
    asked = msgspec.structs.replace(inquiry(backend, Noun.METRICS), timeout=_ASKED_S)
    *rows, ended = backend.inspect(asked).rows
    return Rows(rows, frozenset(ended["ended"]))


def samples_of(row: Mapping[str, Any]) -> list[Sample]:
    """With the tags by which Ray tells processes apart, WorkerId only where one process has counted them."""
    own = {
        "Component": "core_worker",
        "JobId": row["job_id"],
        "NodeAddress": row["node_ip"],
    }
    if row["worker_id"]:
        own["WorkerId"] = row["worker_id"]
    return [
        Sample(PREFIX + row["name"] + suffix, row["kind"], row["description"], {**own, **tags}, v)
        for suffix, tags, v in row["numbers"]
    ]


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
