"""`/api/v0/NOUN` and `/api/v0/NOUN/summarize`: Ray's state API by HTTP. Never who knows the answers: see sources."""

from __future__ import annotations

import functools
import warnings
from dataclasses import fields
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from raysim.dashboard.routes import (
    BadRequestError,
    Parameter,
    Route,
    guarded,
    in_thread,
    reply,
    source_of,
    truth,
    whole,
)
from raysim.dashboard.sources import Source
from raysim.util.state.client import SCHEMAS
from raysim.util.state.filters import do_filter
from raysim.util.state.options import (
    DEFAULT_LIMIT,
    DEFAULT_RPC_TIMEOUT,
    Filter,
    ListApiOptions,
    StateResource,
    SummaryApiOptions,
    SummaryResource,
)
from raysim.util.state.schema import StateSchema

FILTERS: Final = (
    Parameter("filter_keys", "Column that a filter is of.", repeated=True),
    Parameter("filter_predicates", "`=` or `!=`, for each key.", repeated=True),
    Parameter("filter_values", "What the column is compared with, for each key.", repeated=True),
)
TIMEOUT: Final = Parameter("timeout", "Seconds until the question is given up.", "integer")


async def list_(resource: StateResource, request: Request) -> Response:
    options = ListApiOptions(
        limit=whole(request, "limit", DEFAULT_LIMIT),
        timeout=whole(request, "timeout", DEFAULT_RPC_TIMEOUT, least=1),
        detail=truth(request, "detail", False),
        filters=filters_of(request),
        exclude_driver=truth(request, "exclude_driver", True),
    )
    offset = whole(request, "offset", 0)
    order = request.query_params.get("order", "")
    return reply(await in_thread(listed, source_of(request), resource, options, offset, order))


def listed(
    source: Source, resource: StateResource, options: ListApiOptions, offset: int, order: str
) -> dict[str, Any]:
    """The part of Ray's answer that is its data; `partial_failure_warning` says what is missing."""
    do_filter(
        [], options.filters or [], SCHEMAS[resource]
    )  # Or wrong ones that contradict each other pass.
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        page = source.page(resource, options, offset, order)
    return {
        "total": page.total,
        "num_after_truncation": page.total,
        "num_filtered": page.total,
        "result": [row.asdict() for row in page.rows],
        "partial_failure_warning": page.missing,
        "warnings": [str(one.message) for one in said] or None,
    }


async def summarize(resource: SummaryResource, request: Request) -> Response:
    options = SummaryApiOptions(
        timeout=whole(request, "timeout", DEFAULT_RPC_TIMEOUT, least=1),
        filters=filters_of(request),
        summary_by=request.query_params.get("summary_by"),
    )
    return reply(await in_thread(summarized, source_of(request), resource, options))


def summarized(
    source: Source, resource: SummaryResource, options: SummaryApiOptions
) -> dict[str, Any]:
    """The part of Ray's answer that is its data."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = source.summary(resource, options)
    groups = found["cluster"]["summary"].values()
    total = sum(sum(group.get("state_counts", {}).values()) for group in groups)
    total = found["cluster"].get("total_objects", total)
    return {
        "total": total,
        "num_after_truncation": total,
        "num_filtered": total,
        "result": {"node_id_to_summary": found},
        "partial_failure_warning": " ".join(str(one.message) for one in said),
        "warnings": None,
    }


def filters_of(request: Request) -> list[Filter]:
    """Raises BadRequestError where keys, predicates and values are not as many."""
    keys, predicates, values = (
        request.query_params.getlist(f"filter_{name}") for name in ("keys", "predicates", "values")
    )
    if not len(keys) == len(predicates) == len(values):
        raise BadRequestError(
            f"There are {len(keys)} filter_keys, {len(predicates)} filter_predicates and "
            f"{len(values)} filter_values. Give one of each for every filter."
        )
    return list(zip(keys, predicates, values, strict=True))


# --- the table ---


def schema_of(state: type[StateSchema]) -> dict[str, Any]:
    """JSON Schema of a row. Columns that only details show may be missing."""
    return {
        "type": "object",
        "properties": {column.name: _type_of(str(column.type)) for column in fields(state)},
        "required": sorted(state.base_columns()),
    }


def _type_of(annotation: str) -> dict[str, Any]:
    """Of a column, as its annotation is written: `str | None`, `dict[str, Any] | None`."""
    parts = [
        part.strip().removeprefix("<class '").removesuffix("'>") for part in annotation.split("|")
    ]
    words = {
        "str": "string",
        "int": "integer",
        "float": "number",
        "bool": "boolean",
        "None": "null",
        "dict": "object",
        "list": "array",
    }
    kinds = [words.get(part.partition("[")[0], "object") for part in parts if part != "Any"]
    return {"type": kinds} if kinds else {}


def _envelope(result: dict[str, Any]) -> dict[str, Any]:
    count = {"type": "integer"}
    data = {
        "total": count,
        "num_after_truncation": count,
        "num_filtered": count,
        "result": result,
        "partial_failure_warning": {"type": "string"},
        "warnings": {"type": ["array", "null"], "items": {"type": "string"}},
    }
    return {
        "type": "object",
        "properties": {
            "result": {"type": "boolean"},
            "msg": {"type": "string"},
            "data": {"type": "object", "properties": data},
        },
    }


def _list_route(resource: StateResource) -> Route:
    return Route(
        "GET",
        f"/api/v0/{resource.value}",
        guarded(functools.partial(list_, resource)),
        f"Rows of {resource.value.replace('_', ' ')}, by id; filters come before the limit.",
        (
            *FILTERS,
            Parameter("limit", f"Rows at most; default {DEFAULT_LIMIT}.", "integer"),
            Parameter("offset", "Rows to leave out before the first.", "integer"),
            Parameter("order", "Column to sort by; -COLUMN: the largest first. Default: the id."),
            Parameter("detail", "All columns.", "boolean"),
            Parameter("exclude_driver", "Taken as Ray takes it; drivers have no rows.", "boolean"),
            TIMEOUT,
        ),
        _envelope({"type": "array", "items": schema_of(SCHEMAS[resource])}),
    )


def _summary_route(resource: SummaryResource) -> Route:
    return Route(
        "GET",
        f"/api/v0/{resource.value}/summarize",
        guarded(functools.partial(summarize, resource)),
        f"Counts of {resource.value} by what they are of, and by state.",
        (*FILTERS, Parameter("summary_by", "As Ray has it: leave it out."), TIMEOUT),
        _envelope({"type": "object"}),
    )


ROUTES: Final = (
    *(_list_route(resource) for resource in StateResource),
    *(_summary_route(resource) for resource in SummaryResource),
)
