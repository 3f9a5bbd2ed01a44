"""What `raysim.util.state` makes of answers that are not whole, and of logs."""

from types import SimpleNamespace

import pytest

from raysim.exceptions import RaySystemError
from raysim.runtime.current import current, set_current
from raysim.spec.log import LogPart, start_of
from raysim.spec.state import Listing
from raysim.util import state
from raysim.util.state import logs
from raysim.util.state.client import StateApiClient
from raysim.util.state.exception import RayStateApiException, ServerUnavailable
from raysim.util.state.options import ListApiOptions, StateResource

NODE = "ab" * 28
WORKER = "cd" * 28


def node(number):
    columns = ("node_ip", "is_head_node", "state_message", "resources_total", "labels")
    row = {"node_id": f"{number:056x}", "state": "ALIVE", "node_name": f"node-{number}"}
    return {**dict.fromkeys(columns), **row}


class FakeLogs:
    def __init__(self):
        self.content = b"one\ntwo\n\x1b[31mthree\x1b[0m\n"
        self.dropped = 0
        """Bytes of its beginning that are not kept."""

    def names(self, node_id):
        return [f"node-{node_id[:4]}.log", "worker-1.out", "worker-1.err"]

    def read(self, node_id, name, offset):
        if name not in self.names(node_id):
            raise FileNotFoundError(f"there is no {name}")
        start = max(self.dropped, start_of(offset, len(self.content)))
        return LogPart(self.content[start : start + 12], start, len(self.content))

    def of_worker(self, node_id, worker_id, pid, suffix):
        return f"worker-{pid}.{suffix}"


class FakeBackend:
    """Answers every question with `listing`."""

    def __init__(self):
        self.listing = Listing([], 0)
        self.asked = []
        self.kept = FakeLogs()
        self.slept = []

    def inspect(self, inquiry):
        self.asked.append(inquiry)
        if isinstance(self.listing, Exception):
            raise self.listing
        return self.listing

    def logs(self):
        return self.kept

    def now(self):
        return 0.0

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.kept.content += b"four\n"

    def context_info(self):
        return SimpleNamespace(gcs_address="here:1")


@pytest.fixture
def backend():
    before = current()
    set_current(FakeBackend())
    yield current()
    set_current(before)


@pytest.fixture
def nodes(backend):
    backend.listing = Listing([node(2), node(1), node(3)], 3, 4)
    return backend


def test_without_a_connection_there_is_nobody_to_ask():
    with pytest.raises(ConnectionError, match="Call init"):
        state.list_nodes()


def test_another_cluster_cannot_be_asked(nodes):
    with pytest.raises(ConnectionError, match=r"here:1.*elsewhere:2"):
        state.list_nodes("elsewhere:2")
    assert len(state.list_nodes("here:1")) == len(state.list_nodes("auto")) == 3


def test_who_was_silent_makes_the_answer_an_error(nodes):
    nodes.listing.silent = ["node three"]
    with pytest.raises(RayStateApiException, match=r"1 of 4 did not answer in time \(node three\)"):
        state.list_nodes()
    assert len(state.list_nodes(raise_on_missing_output=False)) == 3
    with pytest.warns(UserWarning, match="incomplete: 1 of 4"):
        state.list_nodes(raise_on_missing_output=False, _explain=True)


def test_rows_above_the_limit_of_a_process_make_the_answer_an_error(nodes):
    nodes.listing.total = 12_000
    with pytest.raises(RayStateApiException, match="all 12000 nodes"):
        state.list_nodes()
    with pytest.warns(UserWarning, match="3 of 12000 nodes"):
        assert len(state.list_nodes(raise_on_missing_output=False, _explain=True)) == 3


def test_a_page_says_how_many_there_are_and_what_is_missing(nodes):
    options = ListApiOptions(limit=2, filters=[("node_name", "!=", "node-1")])
    rows, total, missing = state.StateApiClient().page(StateResource.NODES, options, 1)
    assert ([row.node_name for row in rows], total, missing) == (["node-3"], 2, "")
    nodes.listing.silent = ["node three"]
    assert "1 of 4 did not" in state.StateApiClient().page(StateResource.NODES, options).missing


def test_a_cluster_that_does_not_answer(backend):
    backend.listing = RaySystemError("The GCS did not answer within 24 s.")
    with pytest.raises(ServerUnavailable, match="GCS did not answer"):
        state.list_nodes()


def test_the_time_is_that_of_the_question_less_a_fifth(nodes):
    state.list_nodes(timeout=10)
    state.list_nodes(timeout=0)
    assert [inquiry.timeout for inquiry in nodes.asked] == [8, 1]


@pytest.mark.parametrize(
    ("filters", "only"),
    [
        ([("task_id", "=", "ABCD")], "abcd"),
        ([("task_id", "!=", "abcd")], ""),
        ([("name", "=", "abcd")], ""),
        ([("task_id", "=", "no hex")], ""),
    ],
)
def test_a_single_task_is_looked_for_where_it_is_known(backend, filters, only):
    state.list_tasks(filters=filters)
    assert backend.asked[0].only == only


@pytest.mark.parametrize(
    ("filters", "conditions"),
    [
        ([("NAME", "=", "f"), ("attempt_number", "!=", "1")], ["name=f", "attempt_number!=1"]),
        ([("worker_pid", "=", 7)], None),
        ([("task_id", "=", "abcd")], None),
    ],
)
def test_those_who_know_tasks_filter_them_where_they_can(backend, filters, conditions):
    options = ListApiOptions(limit=20, filters=filters)
    StateApiClient().page(StateResource.TASKS, options, 30)
    wanted = backend.asked[-1].wanted
    if conditions is None:
        assert wanted is None
        return
    assert wanted.first == 50
    shown = [f"{one.column}{'=' if one.equal else '!='}{one.value}" for one in wanted.tests]
    assert shown == conditions


def test_a_page_counts_what_comes_after_it(backend):
    backend.listing = Listing([], 0, beyond=70)
    assert StateApiClient().page(StateResource.TASKS, ListApiOptions()).total == 70
    with pytest.raises(RayStateApiException, match="the first 10,000 can be had"):
        StateApiClient().page(StateResource.TASKS, ListApiOptions(limit=1), 10_000)


def test_a_summary_counts_what_others_have_counted(backend):
    row = {"task_id": "01", "name": "f", "func_or_class_name": "f", "type": "NORMAL_TASK"}
    counted = {"name": "f", "type": "NORMAL_TASK", "state": "FINISHED", "count": 200_000}
    backend.listing = Listing([{**row, "state": "RUNNING"}], 1, counted=[counted])
    found = state.summarize_tasks()["cluster"]
    assert found["summary"]["f"]["state_counts"] == {"RUNNING": 1, "FINISHED": 200_000}
    assert found["total_tasks"] == 200_001
    wanted = backend.asked[-1].wanted
    assert (wanted.counted, wanted.tests) == (True, [])


def test_nobody_is_asked_a_wrong_question(backend):
    with pytest.raises(RayStateApiException, match="Did you mean node_name"):
        state.list_nodes(filters=[("node_nam", "=", "x")])
    with pytest.raises(RayStateApiException, match=r"Did you mean ALIVE\?"):
        state.list_nodes(filters=[("state", "=", "alife")])
    with pytest.raises(RayStateApiException, match="not hexadecimal"):
        state.get_node("x" * 56)
    assert backend.asked == []


# Logs


def test_logs_by_kind(backend):
    assert state.list_logs(node_id=NODE) == {
        "raylet": ["node-abab.log"],
        "worker_out": ["worker-1.out"],
        "worker_err": ["worker-1.err"],
    }
    assert state.list_logs(node_id=NODE, glob_filter="*.err") == {"worker_err": ["worker-1.err"]}


def test_a_log_and_the_end_of_it(backend):
    name = "worker-1.out"
    whole = "".join(state.get_log(node_id=NODE, filename=name))
    assert whole == "one\ntwo\n\x1b[31mthree\x1b[0m\n"
    [end] = state.get_log(node_id=NODE, filename=name, tail=2, filter_ansi_code=True)
    assert end == "two\nthree\n"
    assert list(state.get_log(node_id=NODE, filename=name, tail=0, encoding=None)) == [b""]


def test_the_end_of_a_log_that_does_not_fit_into_one_part(backend, monkeypatch):
    monkeypatch.setattr(logs, "TAIL_BYTES", 7)
    lines = [f"line {number}\n".encode() for number in range(50)]
    backend.kept.content = b"".join(lines)
    for count in (0, 1, 2, 3, 49, 50, 51):
        found = state.get_log(node_id=NODE, filename="worker-1.out", tail=count, encoding=None)
        assert b"".join(found) == b"".join(lines[len(lines) - min(count, 50) :])


def test_a_letter_of_several_bytes_is_whole_wherever_parts_end(backend):
    backend.kept.content = "zwölf Boxkämpfer jagen Eva über den Sylter Deich ".encode() * 3
    found = "".join(state.get_log(node_id=NODE, filename="worker-1.out"))
    assert found.encode() == backend.kept.content


def test_a_log_that_was_written_anew_is_followed_from_its_beginning(backend):
    parts = state.get_log(node_id=NODE, filename="worker-1.out", follow=True, tail=1, _interval=2)
    next(parts)
    backend.kept.content = b""
    assert next(parts) == "four\n"


def test_a_log_that_is_followed(backend):
    parts = state.get_log(node_id=NODE, filename="worker-1.out", follow=True, tail=1, _interval=2)
    assert [next(parts), next(parts), next(parts)] == [
        "\x1b[31mthree\x1b[0m\n",
        "four\n",
        "four\n",
    ]
    assert backend.slept == [2, 2]


def test_the_end_of_a_log_whose_beginning_is_gone(backend, monkeypatch):
    """As much of it as there is, once."""
    monkeypatch.setattr("raysim.util.state.logs.TAIL_BYTES", 8)
    logs = backend.logs()
    logs.content, logs.dropped = b"".join(b"%03d\n" % number for number in range(30)), 80
    [end] = state.get_log(node_id=NODE, filename="worker-1.out", tail=20)
    assert end == "".join(f"{number:03}\n" for number in range(20, 30))


def test_a_log_that_is_not_there(backend):
    with pytest.raises(RayStateApiException, match="there is no nothing"):
        list(state.get_log(node_id=NODE, filename="nothing"))


def test_the_log_of_a_worker(backend):
    backend.listing = Listing([{"worker_id": WORKER, "node_id": NODE, "pid": 1}], 1)
    assert list(state.get_log(node_id=NODE, pid=1, suffix="err", tail=1, encoding=None))
    backend.listing = Listing([], 0)
    with pytest.raises(RayStateApiException, match="no such worker"):
        list(state.get_log(node_id=NODE, pid=1))


def test_a_world_that_keeps_no_logs(backend, monkeypatch):
    def refuse():
        raise NotImplementedError("nothing is kept here")

    monkeypatch.setattr(backend, "logs", refuse)
    with pytest.raises(RayStateApiException, match="nothing is kept here"):
        state.list_logs(node_id=NODE)
