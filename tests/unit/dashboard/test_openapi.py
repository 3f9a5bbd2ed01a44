"""The description of the API: of every route, and what Ray's clients send."""

import pytest

pytest.importorskip("starlette")

from raysim.dashboard.app import all_routes
from raysim.dashboard.openapi import description

NOUNS = (
    *("actors", "jobs", "placement_groups", "nodes", "workers"),
    *("tasks", "objects", "runtime_envs", "cluster_events"),
)


def test_every_route_is_described_once():
    routes = all_routes()
    described = description(routes)["paths"]
    assert sum(len(methods) for methods in described.values()) == len(routes)


@pytest.mark.parametrize("noun", NOUNS)
def test_rows_are_described_as_the_state_api_has_them(noun):
    operation = description(all_routes())["paths"][f"/api/v0/{noun}"]["get"]
    names = [parameter["name"] for parameter in operation["parameters"]]
    assert {"filter_keys", "filter_predicates", "filter_values"} <= set(names)
    assert {"limit", "detail", "exclude_driver", "timeout"} <= set(names)
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    data = schema["properties"]["data"]["properties"]
    assert data["result"]["items"]["properties"]


def test_columns_have_their_types():
    paths = description(all_routes())["paths"]
    schema = paths["/api/v0/tasks"]["get"]["responses"]["200"]["content"]["application/json"]
    row = schema["schema"]["properties"]["data"]["properties"]["result"]["items"]
    assert row["properties"]["task_id"] == {"type": ["string"]}
    assert row["properties"]["worker_pid"] == {"type": ["integer", "null"]}
    assert row["properties"]["events"] == {"type": ["array", "null"]}


def test_what_stands_in_a_path_is_a_parameter():
    operation = description(all_routes())["paths"]["/api/v0/logs/{media_type}"]["get"]
    [name] = [one["name"] for one in operation["parameters"] if one["in"] == "path"]
    assert name == "media_type"
