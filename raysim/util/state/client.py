"""Asks the connected cluster for its state, filters, limits. Never knows it: see Backend.inspect."""

import time  # noqa: TID251  (to show times as Unix times, as Ray does)
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any, NamedTuple, TypeAlias

from raysim.backend import Backend
from raysim.exceptions import RaySystemError
from raysim.protocol.sieve import COLUMNS
from raysim.runtime.current import current
from raysim.spec.call_text import hint
from raysim.spec.state import Condition, Inquiry, Listing, Noun, Wanted
from raysim.util.state.exception import RayStateApiException, ServerUnavailable
from raysim.util.state.filters import do_filter
from raysim.util.state.options import (
    RAY_MAX_LIMIT_FROM_API_SERVER,
    RAY_MAX_LIMIT_FROM_DATA_SOURCE,
    Filter,
    GetApiOptions,
    ListApiOptions,
    StateResource,
    SummaryApiOptions,
    SummaryResource,
)
from raysim.util.state.schema import StateSchema, filter_fields
from raysim.util.state.states import (
    ActorState,
    ClusterEventState,
    DriverInfo,
    JobState,
    NodeState,
    ObjectState,
    PlacementGroupState,
    RuntimeEnvState,
    TaskState,
    WorkerState,
)
from raysim.util.state.submitted import with_submissions
from raysim.util.state.summaries import ActorSummaries, ObjectSummaries, StateSummary, TaskSummaries

Rows: TypeAlias = list[dict[str, Any]]
Filters: TypeAlias = list[Filter]
States: TypeAlias = list[Any]
"""Of one class of `states`."""

SCHEMAS: dict[StateResource, type[StateSchema]] = {
    StateResource.ACTORS: ActorState,
    StateResource.JOBS: JobState,
    StateResource.PLACEMENT_GROUPS: PlacementGroupState,
    StateResource.NODES: NodeState,
    StateResource.WORKERS: WorkerState,
    StateResource.TASKS: TaskState,
    StateResource.OBJECTS: ObjectState,
    StateResource.RUNTIME_ENVS: RuntimeEnvState,
    StateResource.CLUSTER_EVENTS: ClusterEventState,
}

_IDS: dict[StateResource, tuple[str, int]] = {
    StateResource.ACTORS: ("actor_id", 16),
    StateResource.TASKS: ("task_id", 24),
    StateResource.OBJECTS: ("object_id", 28),
    StateResource.NODES: ("node_id", 28),
    StateResource.WORKERS: ("worker_id", 28),
    StateResource.PLACEMENT_GROUPS: ("placement_group_id", 18),
    StateResource.JOBS: ("submission_id", 0),
}
"""The column of the id, and its bytes; 0: any text."""

_ORDER = {
    StateResource.JOBS: "job_id",
    StateResource.RUNTIME_ENVS: "creation_time_ms",
    StateResource.CLUSTER_EVENTS: "event_id",
}
"""What an answer is sorted by, where it is not the id."""

_PREFIXES = (StateResource.ACTORS, StateResource.TASKS, StateResource.OBJECTS)
"""Whoever is asked can look for one id among those."""


class Page(NamedTuple):
    """A part of an answer."""

    rows: States
    total: int
    """Of those that pass the filters."""
    missing: str
    """Why there may be more of them, in words; empty: there are not."""


class StateApiClient:
    """Questions to the cluster that this process is connected to."""

    def __init__(
        self,
        address: str | None = None,
        cookies: Mapping[str, Any] | None = None,
        headers: Mapping[str, Any] | None = None,
    ) -> None:
        """`cookies` and `headers` are those of Ray's HTTP: nothing is asked over HTTP here.

        Raises ConnectionError when this process is connected to no cluster, or to another one.
        """
        self._backend = connected(address)

    def get(
        self,
        resource: StateResource,
        id: str,
        options: GetApiOptions | None = None,
        _explain: bool = False,
    ) -> Any:
        """The row of this id with all details; None if there is none.

        Several for an object, one for each process that refers to it; for a task that was tried more
        than once, one for each attempt. Raises RayStateApiException, ValueError for what has no ids.
        """
        if resource not in _IDS:
            raise ValueError(f"Can't get {resource.name} by id.")
        column, length = _IDS[resource]
        _check_id(id, length)
        timeout = (options or GetApiOptions()).timeout
        rows, _ = self._rows(resource, [(column, "=", id)], timeout)
        found = [_state(resource, row, detail=True) for row in rows]
        if not found:
            return None
        if resource is StateResource.OBJECTS or len(found) > 1:
            return found
        return found[0]

    def list(
        self,
        resource: StateResource,
        options: ListApiOptions,
        raise_on_missing_output: bool,
        _explain: bool = False,
    ) -> States:
        """The rows that pass the filters, by id, up to the limit. Raises RayStateApiException."""
        _check_limit(options.limit)
        filters = options.filters or []
        if options.has_conflicting_filters():
            return []
        rows, listing = self._rows(resource, filters, options.timeout, options.limit)
        if raise_on_missing_output:
            _raise_on_missing(resource, listing)
        shown = rows[: options.limit]
        if _explain:
            _warn(resource, listing, len(rows) + listing.beyond, len(shown))
        return [_state(resource, row, options.detail) for row in shown]

    def page(
        self, resource: StateResource, options: ListApiOptions, offset: int = 0, order: str = ""
    ) -> Page:
        """As `list`, from a row on, with how many there are. Raises RayStateApiException.

        `order`: a column, with `-` in front for the largest first; what has no value there comes last.
        """
        _check_limit(options.limit)
        if options.has_conflicting_filters():
            return Page([], 0, "")
        first = offset + options.limit
        if first > RAY_MAX_LIMIT_FROM_DATA_SOURCE:
            raise RayStateApiException(
                f"Rows {offset + 1} to {first} are asked for, and the first {RAY_MAX_LIMIT_FROM_DATA_SOURCE:,} can be "
                "had. Use filters."
            )
        filters = options.filters or []
        asked: int | None = first
        if order:
            # Whoever knows them sorts by id alone: so all that pass a filter, or else the newest.
            asked = RAY_MAX_LIMIT_FROM_DATA_SOURCE if filters else None
        rows, listing = self._rows(resource, filters, options.timeout, asked)
        if order:
            put_in_order(rows, order, SCHEMAS[resource])
        shown = rows[offset:first]
        missing = " ".join(_missing(resource, listing))
        states = [_state(resource, row, options.detail) for row in shown]
        return Page(states, len(rows) + listing.beyond, missing)

    def summary(
        self,
        resource: SummaryResource,
        *,
        options: SummaryApiOptions,
        raise_on_missing_output: bool,
        _explain: bool = False,
    ) -> dict[str, Any]:
        """Counts of all rows that pass the filters. Raises RayStateApiException."""
        if options.summary_by not in (None, "func_name", "task_name", "class", "callsite"):
            raise RayStateApiException(
                f"summary_by={options.summary_by!r} is not supported. Leave it out."
            )
        kind = StateResource(resource.value)
        rows, listing = self._rows(kind, options.filters or [], options.timeout, 0, counted=True)
        if raise_on_missing_output:
            _raise_on_missing(kind, listing)
        if _explain:
            _warn(kind, listing, len(rows), len(rows))
        found: TaskSummaries | ActorSummaries | ObjectSummaries
        if resource is SummaryResource.TASKS:
            found = TaskSummaries.to_summary_by_func_name(tasks=[*rows, *listing.counted])
        elif resource is SummaryResource.ACTORS:
            found = ActorSummaries.to_summary(actors=rows)
        else:
            found = ObjectSummaries.to_summary(objects=rows)
        summary: dict[str, Any] = asdict(StateSummary({"cluster": found}))["node_id_to_summary"]
        return summary

    def _rows(
        self,
        resource: StateResource,
        filters: Filters,
        timeout: float,
        first: int | None = None,
        counted: bool = False,
    ) -> tuple[Rows, Listing]:
        """In the order of their ids; of tasks, where those who know them can filter, only the first so many."""
        backend, schema = self._backend, SCHEMAS[resource]
        do_filter([], filters, schema)  # What is wrong with them is said before anybody is asked.
        inquiry = Inquiry(
            Noun(resource.value),
            RAY_MAX_LIMIT_FROM_DATA_SOURCE,
            timeout,
            time.time_ns() - round(backend.now() * 1e9),
            _prefix(resource, filters),
            None if first is None else _wanted(resource, filters, first, counted),
        )
        try:
            listing = backend.inspect(inquiry)
            if resource is StateResource.JOBS:
                listing.rows = with_submissions(backend, listing.rows)
        except RaySystemError as error:
            raise ServerUnavailable(str(error)) from error
        column = _ORDER.get(resource) or _IDS[resource][0]
        listing.rows.sort(key=lambda row: (row[column] is None, row[column]))
        return do_filter(listing.rows, filters, schema), listing


def put_in_order(rows: Rows, order: str, schema: type[StateSchema]) -> None:
    """By a column. Raises RayStateApiException for one that there is not."""
    column, down = order.removeprefix("-"), order.startswith("-")
    known = sorted(schema.columns())
    if column not in known:
        raise RayStateApiException(f"There is no column {column!r} to sort by{hint(column, known)}")
    without = [row for row in rows if row.get(column) is None]
    rows[:] = [row for row in rows if row.get(column) is not None]
    rows.sort(key=lambda row: _sortable(row[column]), reverse=down)
    rows += without


def _sortable(value: Any) -> Any:
    """What cannot be compared goes by its text."""
    return value if isinstance(value, str | int | float) else str(value)


def connected(address: str | None) -> Backend:
    """This process's connection. Raises ConnectionError where there is none, or one to another cluster."""
    backend = current()
    if backend is None:
        raise ConnectionError(
            "This process is connected to no cluster whose state could be asked for. Call init() first."
        )
    own = backend.context_info().gcs_address
    if address not in (None, "auto", own):
        raise ConnectionError(
            f"This process is connected to the cluster at {own!r}, not to {address!r}. "
            "Leave the address out."
        )
    return backend


def _check_id(identity: str, length: int) -> None:
    if not length:
        return
    try:
        raw = bytes.fromhex(identity)
    except ValueError:
        raise RayStateApiException(f"ID string {identity!r} is not hexadecimal.") from None
    if len(raw) != length:
        raise RayStateApiException(f"ID string needs to have length {length}, got {len(raw)}.")


def _check_limit(limit: int) -> None:
    if not 0 <= limit <= RAY_MAX_LIMIT_FROM_API_SERVER:
        raise RayStateApiException(
            f"Given limit {limit} is not between 0 and the supported limit "
            f"{RAY_MAX_LIMIT_FROM_API_SERVER}."
        )


def _prefix(resource: StateResource, filters: list[Filter]) -> str:
    """The one id that is looked for, where whoever is asked can do that."""
    column = _IDS[resource][0] if resource in _PREFIXES else ""
    for key, predicate, value in filters:
        if key == column and predicate == "=" and isinstance(value, str):
            try:
                return bytes.fromhex(value).hex()
            except ValueError:
                return ""
    return ""


def _wanted(
    resource: StateResource, filters: list[Filter], first: int, counted: bool
) -> Wanted | None:
    """None where only who asks can tell what passes."""
    if resource is not StateResource.TASKS or _prefix(resource, filters):
        return None
    tests: list[Condition] = []
    for column, predicate, value in filters:
        if column.lower() not in COLUMNS or isinstance(value, bool | float):
            return None
        if column.lower() == "attempt_number":
            value = int(value)
        tests.append(Condition(column.lower(), value, predicate == "="))
    return Wanted(first, tests, counted)


def _state(resource: StateResource, row: dict[str, Any], detail: bool) -> StateSchema:
    schema = SCHEMAS[resource]
    shown = filter_fields(row, schema, detail)
    if resource is StateResource.JOBS and shown["driver_info"] is not None:
        shown["driver_info"] = DriverInfo(**shown["driver_info"])
    return schema(**shown)


def _raise_on_missing(resource: StateResource, listing: Listing) -> None:
    remedy = "To allow missing output, set `raise_on_missing_output=False`."
    if listing.silent:
        raise RayStateApiException(
            f"Failed to retrieve all {resource.value} from the cluster: {_silent(listing)}. {remedy}"
        )
    if listing.total > len(listing.rows):
        raise RayStateApiException(
            f"Failed to retrieve all {listing.total} {resource.value} from the cluster: a process shows "
            f"{RAY_MAX_LIMIT_FROM_DATA_SOURCE} of its own at most. {remedy}"
        )


def _silent(listing: Listing) -> str:
    return f"{len(listing.silent)} of {listing.asked} did not answer in time ({', '.join(listing.silent)})"


def _missing(resource: StateResource, listing: Listing) -> Iterator[str]:
    if listing.silent:
        yield f"The answer is incomplete: {_silent(listing)}."
    if listing.total > len(listing.rows):
        yield (
            f"The answer is incomplete: {len(listing.rows)} of {listing.total} {resource.value} were "
            "retrieved."
        )


def _warn(resource: StateResource, listing: Listing, found: int, shown: int) -> None:
    for message in _missing(resource, listing):
        warnings.warn(message, stacklevel=4)
    if found > shown:
        warnings.warn(
            f"Limit last {shown} entries (Total {found}). Use filters, or a higher limit.",
            stacklevel=4,
        )
