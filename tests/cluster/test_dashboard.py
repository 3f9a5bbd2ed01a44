"""The dashboard of a head that was started by hand: who starts its process, what it answers, and when it goes."""

import json
import os
import re
import signal
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

from tests.cluster.inspection import marked, until
from tests.cluster.started import Machine

WORK = """
ray.init("auto", namespace="here", log_to_driver=False)
@ray.remote
def good(number): return number
@ray.remote(max_retries=0)
def bad(): raise ValueError("the reason")
kept = Keeper.options(name="keeper").remote()
ray.get([kept.call.remote(), *(good.remote(number) for number in range(20))])

try: ray.get(bad.remote())
except ValueError: pass
@ray.remote
def speak():
    print("said in a task")
    return ray.get_runtime_context().get_task_id()
tell(ray.get(speak.remote()))
wait()
"""


COUNT = """
ray.init("auto", log_to_driver=False)
from raysim.util.metrics import Counter
@ray.remote(num_cpus=0)
class Seen:
    def count(self):
        Counter("seen", "What was seen.", ("kind",)).inc(3, tags={"kind": "a"})
        return os.getpid()
seen = Seen.remote()
tell(ray.get(seen.count.remote()))
wait()
"""


class Asked:
    """A head with a dashboard, and a client of that."""

    def __init__(self, machine: Machine, started: str) -> None:
        self.machine = machine
        found = re.search(r"^Dashboard: http://127\.0\.0\.1:(\d+) ", started, re.MULTILINE)
        assert found, started
        self.port = int(found[1])
        home = Path(machine.environment["HOME"])
        self.token = (home / ".raysim/auth_token").read_text().strip()

    def raw(self, path: str, **query: Any) -> bytes:
        url = f"http://127.0.0.1:{self.port}{path}?{urlencode(query, doseq=True)}"
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {self.token}"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            content: bytes = answer.read()
            return content

    def get(self, path: str, **query: Any) -> Any:
        return json.loads(self.raw(path, **query))

    def rows(self, noun: str, **query: Any) -> list[Any]:
        rows: list[Any] = self.get(f"/api/v0/{noun}", **query)["data"]["result"]
        return rows

    def refused(self, path: str, **query: Any) -> tuple[int, str]:
        with pytest.raises(urllib.error.HTTPError) as caught:
            self.raw(path, **query)
        with caught.value as answer:
            return answer.code, json.loads(answer.read())["msg"]

    def processes(self) -> list[int]:
        return [pid for pid in marked(self.machine.mark) if _is_dashboard(pid)]


def _is_dashboard(pid: int) -> bool:
    try:
        return b"raysim.dashboard.serving" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # It has ended meanwhile.
        return False


def start(machine: Machine, *more: str) -> Asked:
    size = ("--object-store-memory", "64MiB", "--num-cpus", "2")
    begun = machine.raysim("start", "--head", "--port", "0", *size, *more)
    assert begun.returncode == 0, begun.stderr
    return Asked(machine, begun.stdout)


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Asked, str]]:
    """With a program that has done something; its task that spoke."""
    with Machine(tmp_path_factory.mktemp("machine")) as machine:
        asked = start(machine, "--dashboard-port", "0")
        with machine.program(WORK) as program:
            yield asked, program.told()


def test_rows_come_as_the_state_api_has_them(dashboard: tuple[Asked, str]) -> None:
    asked, _ = dashboard
    [node] = asked.rows("nodes", detail=True)
    assert (node["state"], node["is_head_node"]) == ("ALIVE", True)
    [actor] = asked.rows("actors")
    assert (actor["class_name"], actor["name"]) == ("Keeper", "keeper")
    [job] = asked.rows("jobs")
    assert job["status"] == "RUNNING"
    drivers = [row for row in asked.rows("workers") if row["worker_type"] == "DRIVER"]
    assert len(drivers) == 1, "the dashboard's own connection is not shown"


def test_filters_come_before_the_limit_and_the_total_says_how_many_there_are(
    dashboard: tuple[Asked, str],
) -> None:
    asked, _ = dashboard
    only = {"filter_keys": ["name"], "filter_predicates": ["="], "filter_values": ["good"]}
    data = asked.get("/api/v0/tasks", limit=3, **only)["data"]
    assert (len(data["result"]), data["total"], data["num_filtered"]) == (3, 20, 20)
    assert data["partial_failure_warning"] == ""
    last = asked.rows("tasks", limit=100, offset=18, **only)
    assert len(last) == 2


def test_rows_are_sorted_before_they_are_cut(dashboard: tuple[Asked, str]) -> None:
    asked, _ = dashboard
    only = {"filter_keys": ["name"], "filter_predicates": ["="], "filter_values": ["good"]}
    for filters in ({}, only):
        order = {"order": "-end_time_ms", "detail": True, "limit": 5}
        first = asked.rows("tasks", **order, **filters)
        second = asked.rows("tasks", offset=5, **order, **filters)
        ends = [row["end_time_ms"] for row in first + second]
        assert len(ends) == 10
        assert ends == sorted(ends, reverse=True)


def test_a_failed_task_is_found_with_its_error(dashboard: tuple[Asked, str]) -> None:
    asked, _ = dashboard
    failed = {"filter_keys": "state", "filter_predicates": "=", "filter_values": "FAILED"}
    [task] = asked.rows("tasks", detail=True, **failed)
    assert task["name"] == "bad"
    assert "the reason" in task["error_message"]


def test_why_is_told_of_an_id(dashboard: tuple[Asked, str]) -> None:
    asked, _ = dashboard
    [failed] = [row for row in asked.rows("tasks", limit=100) if row["name"] == "bad"]
    data = asked.get(f"/api/v0/explain/{failed['task_id']}")["data"]
    assert data["explanation"]["reason"] == "failed"
    assert "the reason" in data["text"]
    code, message = asked.refused(f"/api/v0/explain/{'ff' * 24}")
    assert code == 404
    assert "looked for among tasks" in message


def test_summaries_count_by_name_and_state(dashboard: tuple[Asked, str]) -> None:
    asked, _ = dashboard
    data = asked.get("/api/v0/tasks/summarize")["data"]
    summary = data["result"]["node_id_to_summary"]["cluster"]["summary"]
    assert summary["good"]["state_counts"] == {"FINISHED": 20}
    assert summary["bad"]["state_counts"] == {"FAILED": 1}


def test_a_tasks_log_is_read_and_followed(dashboard: tuple[Asked, str]) -> None:
    asked, task_id = dashboard
    assert b"said in a task" in asked.raw("/api/v0/logs/file", task_id=task_id)
    [node] = asked.rows("nodes")
    names = asked.get("/api/v0/logs", node_id=node["node_id"], glob="*worker*.out")["data"][
        "result"
    ]
    assert names["worker_out"]
    url = f"http://127.0.0.1:{asked.port}/api/v0/logs/stream?task_id={task_id}"
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {asked.token}"})
    with urllib.request.urlopen(request, timeout=60) as stream:
        assert b"said in a task" in stream.readline()


def test_the_whole_cluster_is_shown(dashboard: tuple[Asked, str]) -> None:
    asked, _ = dashboard
    [node] = asked.get("/nodes", view="summary")["data"]["summary"]
    assert node["resources_total"]["CPU"] == 2
    assert asked.get("/api/version")["ray_version"]
    assert asked.get("/api/cluster_status")["data"]["resources"]["CPU"]["total"] == 2


def test_prometheus_reads_what_the_cluster_does(dashboard: tuple[Asked, str]) -> None:
    asked, _ = dashboard
    said = asked.raw("/metrics").decode()
    assert 'raysim_tasks{Name="bad",State="FAILED"} 1' in said
    assert 'raysim_actors{Name="Keeper",State="ALIVE"} 1' in said
    assert "raysim_cluster_active_nodes 1" in said
    assert "raysim_node_mem_total{NodeId=" in said


def test_what_programs_count_is_there_and_does_not_fall_when_they_are_killed(
    dashboard: tuple[Asked, str],
) -> None:
    asked, _ = dashboard
    with asked.machine.program(COUNT) as program:
        pid = program.told()
        [said] = re.findall(r"^ray_seen_total\{(.*)\} 3.0$", asked.raw("/metrics").decode(), re.M)
        assert 'kind="a"' in said
        assert 'NodeAddress="127.0.0.1"' in said
        assert "# TYPE ray_seen_total counter\n" in asked.raw("/metrics").decode()
        os.kill(pid, signal.SIGKILL)
        assert until(lambda: pid not in marked(asked.machine.mark))
        assert f"ray_seen_total{{{said}}} 3.0" in asked.raw("/metrics").decode()


def test_a_node_s_figures_over_time_are_read_from_its_file(dashboard: tuple[Asked, str]) -> None:
    asked, _ = dashboard
    [node] = asked.get("/api/history")["data"]["nodes"]
    assert len(node["time_ms"]) == len(node["cpu"]) >= 1
    assert 0 < node["memory_used"][0] < node["memory_total"][0]
    assert node["store_capacity"][0] == 64 << 20


def test_progress_is_told_as_it_goes(dashboard: tuple[Asked, str]) -> None:
    asked, _ = dashboard
    url = f"http://127.0.0.1:{asked.port}/api/tasks/live?limit=3"
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {asked.token}"})
    with urllib.request.urlopen(request, timeout=60) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        said = json.loads(stream.readline().removeprefix(b"data: "))
    assert len(said["tasks"]["result"]) == 3
    assert "good" in said["progress"]["result"]["node_id_to_summary"]["cluster"]["summary"]


@pytest.mark.parametrize(
    ("path", "query", "said"),
    [
        ("/api/v0/tasks", {"limit": "many"}, "no whole number"),
        ("/api/v0/tasks", {"limit": -1}, "less than 0"),
        ("/api/v0/tasks", {"limit": 100_000}, "10000"),
        ("/api/v0/tasks", {"detail": "maybe"}, "neither true nor false"),
        ("/api/v0/tasks", {"filter_keys": "state"}, "1 filter_keys, 0 filter_predicates"),
        ("/api/v0/logs", {}, "node_id or node_ip"),
        ("/api/v0/logs/file", {"task_id": "00" * 24}, "no attempt"),
        ("/api/v0/logs/other", {}, "file or stream"),
        ("/nodes", {"view": "nonsense"}, "none of summary"),
    ],
)
def test_a_wrong_question_is_told_what_is_wrong(
    dashboard: tuple[Asked, str], path: str, query: dict[str, Any], said: str
) -> None:
    asked, _ = dashboard
    code, message = asked.refused(path, **query)
    assert code == 400
    assert said in message


def test_an_unknown_column_is_told_the_known_ones(dashboard: tuple[Asked, str]) -> None:
    asked, _ = dashboard
    wrong = {"filter_keys": "stat", "filter_predicates": "=", "filter_values": "FAILED"}
    code, message = asked.refused("/api/v0/tasks", **wrong)
    assert code == 400
    assert "Did you mean state?" in message


def test_its_process_starts_with_the_first_question_and_again_when_it_died(tmp_path: Path) -> None:
    """While nobody asks, there is a socket and nothing else: an idle head is to be small."""
    with Machine(tmp_path) as machine:
        asked = start(machine, "--dashboard-port", "0")
        assert asked.processes() == []
        assert asked.get("/api/version")
        [process] = asked.processes()
        os.kill(process, signal.SIGKILL)
        assert asked.get("/api/version")
        assert until(lambda: len(asked.processes()) == 1)
        assert asked.processes() != [process]
        assert machine.raysim("stop").returncode == 0
        machine.assert_nothing_left()


def test_a_port_that_is_taken_is_said(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, Machine(tmp_path) as machine:
        port = taken.getsockname()[1]
        begun = machine.raysim("start", "--head", "--port", "0", "--dashboard-port", str(port))
        assert f"Port {port} is taken" in begun.stdout
        assert Asked(machine, begun.stdout).port > port


def test_one_starts_a_head_without_it(tmp_path: Path) -> None:
    with Machine(tmp_path) as machine:
        begun = machine.raysim("start", "--head", "--port", "0", "--no-dashboard")
        assert begun.returncode == 0
        assert "ashboard" not in begun.stdout


def test_it_is_refused_where_other_machines_would_reach_it(tmp_path: Path) -> None:
    with Machine(tmp_path) as machine:
        begun = machine.raysim("start", "--head", "--port", "0", "--dashboard-host", "0.0.0.0")
        assert begun.returncode == 2
        assert "--allow-plaintext" in begun.stderr
        machine.assert_nothing_left()
