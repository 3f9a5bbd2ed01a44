"""The description of the API (OpenAPI 3.1), made of the table of routes. Never written by hand."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import raysim
from raysim.dashboard.routes import Parameter, Route


def description(routes: Iterable[Route]) -> dict[str, Any]:
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(_path(route), {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "raysim",
            "version": raysim.__version__,
            "description": "State, logs and jobs of a cluster. In the words of Ray's dashboard.",
        },
        "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
        "security": [{"token": []}],
        "paths": paths,
    }


def _path(route: Route) -> str:
    """`{path:path}` is Starlette's."""
    return re.sub(r"\{(\w+):\w+\}", r"{\1}", route.path)


def _operation(route: Route) -> dict[str, Any]:
    in_path = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"\{(\w+)\}", _path(route))
    ]
    schema: dict[str, Any] = dict(route.answer or {})
    operation: dict[str, Any] = {
        "summary": route.what,
        "parameters": in_path + [_parameter(one) for one in route.parameters],
        "responses": {
            "200": {
                "description": "What was asked.",
                "content": {route.media_type: {"schema": schema}},
            },
            "400": {"description": "The question is wrong; `msg` says why."},
            "401": {"description": "The token is missing or wrong."},
            "503": {"description": "The cluster does not answer."},
        },
    }
    if route.body is not None:
        content = {"application/json": {"schema": dict(route.body)}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _parameter(parameter: Parameter) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": parameter.kind}
    if parameter.repeated:
        schema = {"type": "array", "items": schema}
    return {
        "name": parameter.name,
        "in": "query",
        "description": parameter.what,
        "required": parameter.required,
        "schema": schema,
    }
