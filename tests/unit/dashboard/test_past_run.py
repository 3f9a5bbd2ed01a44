"""A run that is over, looked at in the middle of it: what was known then, and nothing of what came later."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("starlette")

from raysim.dashboard.app import make_app
from raysim.dashboard.past_run import PastRun
from raysim.scenario.folder import kept
from raysim.scenario.loading import load_experiment
from raysim.scenario.running import RunOptions, run_workflow
from raysim.util.state.options import ListApiOptions, StateResource
from tests.unit.dashboard.asking import Answer, ask

TOKEN = "token"


@pytest.fixture(scope="module")
def past(repository: Path) -> PastRun:
    """A workflow that loses a node at 13 s."""
    scenario = load_experiment(repository / "scenarios" / "quickstart.yaml")
    return PastRun(kept(run_workflow(scenario, RunOptions())))


def tasks(past: PastRun) -> list[str]:
    options = ListApiOptions(limit=10_000)
    return [row.state for row in past.page(StateResource.TASKS, options, 0, "").rows]


def get(past: PastRun, path: str) -> Answer:
    app = make_app(past, TOKEN.encode())
    return ask(app, path, authorization=f"Bearer {TOKEN}")


def test_before_anything_ended_nothing_has(past: PastRun) -> None:
    states = set(tasks(past.at(1.0)))
    assert states == {"RUNNING", "PENDING_NODE_ASSIGNMENT"}


def test_at_the_end_all_have_ended(past: PastRun) -> None:
    states = tasks(past)
    assert set(states) == {"FINISHED", "FAILED"}
    assert states.count("FAILED") == 2, "those that the node took along"


def test_a_node_lives_until_it_is_lost(past: PastRun) -> None:
    assert [node["alive"] for node in past.at(12.0).nodes()] == [True] * 4
    assert [node["alive"] for node in past.at(14.0).nodes()] == [True, False, True, True]


def test_what_went_wrong_is_told_from_then_on(past: PastRun) -> None:
    options = ListApiOptions(limit=100, detail=True)
    before, after = (
        past.at(at_s).page(StateResource.CLUSTER_EVENTS, options, 0, "").rows for at_s in (12, 14)
    )
    assert before == []
    assert {row.source_type for row in after} >= {"FAULT", "NODE_LOST"}


def test_no_more_is_busy_than_there_is(past: PastRun) -> None:
    for at_s in (0.5, 14.0, 40.0, 60.0):
        used = past.at(at_s).used()["CPU"]
        assert 0 <= used["used"] <= used["total"]


def test_the_moment_is_a_parameter_of_every_question(past: PastRun) -> None:
    then = get(
        past, "/api/v0/tasks?at=1&filter_keys=state&filter_predicates=%3D&filter_values=FINISHED"
    )
    now = get(past, "/api/v0/tasks?filter_keys=state&filter_predicates=%3D&filter_values=FINISHED")
    assert then.json()["data"]["total"] == 0
    assert now.json()["data"]["total"] > 100
    assert get(past, "/api/v0/tasks?at=soon").status == 400


def test_a_task_s_wait_is_explained(past: PastRun) -> None:
    task = get(past, "/api/v0/tasks?limit=1").json()["data"]["result"][0]["task_id"]
    data = get(past, f"/api/v0/explain/{task}").json()["data"]
    assert "waited for" in data["text"]
    assert data["explanation"]["text"].startswith("Task project_")
    assert get(past, "/api/v0/explain/nothing").status == 404


def test_rows_come_in_the_order_that_is_asked_for(past: PastRun) -> None:
    rows = get(past, "/api/v0/tasks?order=-end_time_ms&limit=20&detail=1").json()["data"]["result"]
    ends = [row["end_time_ms"] for row in rows]
    assert ends == sorted(ends, reverse=True)
    refused = get(past, "/api/v0/tasks?order=end_time")
    assert refused.status == 400
    assert "end_time_ms" in refused.json()["msg"]


def test_the_timeline_has_every_attempt_and_the_fault(past: PastRun) -> None:
    data = get(past, "/api/chart").json()["data"]
    assert data["count"] == len(tasks(past))
    assert "fault" in [kind for _, kind, _, _ in data["marks"]]
