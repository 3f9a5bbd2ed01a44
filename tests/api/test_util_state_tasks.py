"""`ray.util.state` of tasks and objects: their states, errors, places and times."""

import os
import time

import pytest

from tests.api.state_rig import eventually, session, state_of


@pytest.fixture(scope="module")
def ray(backend):
    yield from session(backend)


@pytest.fixture(scope="module")
def state(ray):
    return state_of(ray)


def ended(state, name, attempts=1):
    """The attempts of the tasks of this name, once so many have ended."""
    filters = [("name", "=", name)]
    rows = eventually(
        lambda: state.list_tasks(filters=filters, detail=True),
        lambda rows: len(rows) == attempts and all(row.end_time_ms for row in rows),
    )
    return sorted(rows, key=lambda row: row.attempt_number)


def in_state(state, name, *wanted):
    """The task of this name, once it is in one of these states."""
    filters = [("name", "=", name)]
    [row] = eventually(
        lambda: state.list_tasks(filters=filters, detail=True),
        lambda rows: len(rows) == 1 and rows[0].state in wanted,
    )
    return row


def test_a_finished_task(ray, state):
    @ray.remote(num_cpus=2)
    def finished():
        context = ray.get_runtime_context()
        return context.get_task_id(), context.get_node_id(), context.get_worker_id()

    before = time.time() * 1000
    task_id, node_id, worker_id = ray.get(finished.remote())
    [row] = ended(state, "finished")
    assert row.task_id == task_id
    assert row.state == "FINISHED"
    assert row.attempt_number == 0
    assert row.type == "NORMAL_TASK"
    assert row.func_or_class_name == row.name
    assert row.job_id == ray.get_runtime_context().get_job_id()
    assert row.actor_id is None
    assert row.parent_task_id == "f" * 40 + row.job_id
    assert (row.node_id, row.worker_id) == (node_id, worker_id)
    assert row.error_type is None
    assert row.required_resources == {"CPU": 2.0}
    assert row.language == "PYTHON"
    assert row.runtime_env_info["serialized_runtime_env"] == "{}"
    assert before - 2 <= row.creation_time_ms <= row.end_time_ms <= time.time() * 1000 + 2
    assert "PENDING_ARGS_AVAIL" in [event["state"] for event in row.events]
    assert row.events[-1]["state"] == "FINISHED"


def test_the_name_that_was_given_and_that_of_the_function(ray, state):
    @ray.remote
    def plain():
        return 1

    ray.get(plain.options(name="a name of its own").remote())
    [row] = ended(state, "a name of its own")
    assert row.func_or_class_name.endswith("plain")


def test_a_task_that_raised(ray, state):
    @ray.remote(name="raises", max_retries=0)
    def raises():
        raise ValueError("no such day")

    with pytest.raises(ValueError, match="no such day"):
        ray.get(raises.remote())
    [row] = ended(state, "raises")
    assert (row.state, row.error_type) == ("FAILED", "TASK_EXECUTION_EXCEPTION")
    assert "ValueError: no such day" in row.error_message


def test_each_attempt_of_a_task_is_there(ray, state):
    @ray.remote(name="crashes", max_retries=1)
    def crashes():
        os._exit(1)

    ref = crashes.remote()
    with pytest.raises(ray.exceptions.WorkerCrashedError):
        ray.get(ref)
    rows = ended(state, "crashes", attempts=2)
    assert [row.attempt_number for row in rows] == [0, 1]
    assert {row.state for row in rows} == {"FAILED"}
    assert {row.error_type for row in rows} == {"WORKER_DIED"}
    found = state.get_task(ref)
    assert sorted(row.attempt_number for row in found) == [0, 1]


def test_a_task_of_a_task_names_its_parent(ray, state):
    @ray.remote(name="child of a task")
    def child():
        return 1

    @ray.remote(name="parent of a task")
    def parent():
        return ray.get(child.remote()) and ray.get_runtime_context().get_task_id()

    parent_id = ray.get(parent.remote())
    [row] = ended(state, "child of a task")
    assert row.parent_task_id == parent_id


def test_states_of_tasks_that_have_not_ended(ray, state):
    @ray.remote(num_cpus=0)
    def gate(seconds):
        time.sleep(seconds)

    @ray.remote
    def after(_):
        return 1

    closed = gate.options(name="runs").remote(20)
    behind = after.options(name="waits for its argument").remote(closed)
    huge = after.options(name="waits for a node", num_cpus=1000).remote(1)
    in_state(state, "runs", "RUNNING")
    running = eventually(lambda: state.get_task(closed), lambda row: row.node_id)
    assert running.node_id == ray.get_runtime_context().get_node_id()
    assert running.start_time_ms >= running.creation_time_ms
    assert running.end_time_ms is None
    waiting = in_state(state, "waits for its argument", "PENDING_ARGS_AVAIL")
    assert waiting.node_id is None
    unplaced = in_state(state, "waits for a node", "PENDING_NODE_ASSIGNMENT")
    assert unplaced.worker_id is None
    for ref in (huge, behind):
        ray.cancel(ref)
    cancelled = in_state(state, "waits for a node", "FAILED")
    assert cancelled.error_type == "TASK_CANCELLED"
    ray.cancel(closed, force=True)


def test_a_task_that_waits_in_get(ray, state):
    @ray.remote(num_cpus=0, name="the one that is waited for")
    def slow():
        time.sleep(20)

    @ray.remote(num_cpus=0, name="the one that waits")
    def waits(boxed):
        return ray.get(boxed[0])

    ref = slow.remote()
    waits.remote([ref])
    # Ray shows RUNNING, as a rule.
    in_state(state, "the one that waits", "RUNNING", "RUNNING_IN_RAY_GET")
    ray.cancel(ref, force=True)


def test_calls_of_an_actor(ray, state):
    @ray.remote
    class Worker:
        def ident(self):
            return ray.get_runtime_context().get_actor_id()

        def sleep(self, seconds):
            time.sleep(seconds)

    worker = Worker.options(name="a worker").remote()
    actor_id = ray.get(worker.ident.remote())
    of_it = [("actor_id", "=", actor_id)]
    rows = eventually(
        lambda: state.list_tasks(filters=of_it, detail=True),
        lambda rows: len(rows) == 2 and all(row.end_time_ms for row in rows),
    )
    made, called = sorted(rows, key=lambda row: row.type)
    assert (made.type, called.type) == ("ACTOR_CREATION_TASK", "ACTOR_TASK")
    assert (made.state, called.state) == ("FINISHED", "FINISHED")
    assert made.name == "a worker:" + made.func_or_class_name
    assert made.func_or_class_name.endswith("Worker.__init__")
    assert called.func_or_class_name.endswith("Worker.ident")
    assert called.worker_id is not None
    worker.sleep.remote(20)
    worker.ident.remote()
    running = [("name", "=", called.name.replace("ident", "sleep"))]
    eventually(lambda: state.list_tasks(filters=[*running, ("state", "=", "RUNNING")]))
    waiting = [*of_it, ("name", "=", called.name), ("state", "!=", "FINISHED")]
    [behind] = eventually(lambda: state.list_tasks(filters=waiting))
    assert behind.state in ("SUBMITTED_TO_WORKER", "PENDING_ACTOR_TASK_ORDERING_OR_CONCURRENCY")
    ray.kill(worker)


def test_a_constructor_that_raises(ray, state):
    @ray.remote
    class Broken:
        def __init__(self):
            raise ValueError("never made")

        def call(self):
            return 1

    with pytest.raises(ray.exceptions.ActorDiedError):
        ray.get(Broken.remote().call.remote())
    filters = [("type", "=", "ACTOR_CREATION_TASK"), ("state", "=", "FAILED")]
    [row] = eventually(lambda: state.list_tasks(filters=filters, detail=True))
    assert row.func_or_class_name.endswith("Broken.__init__")
    assert row.error_type == "TASK_EXECUTION_EXCEPTION"
    assert "never made" in row.error_message


def test_a_task_without_events_is_not_there(ray, state):
    @ray.remote(enable_task_events=False, name="hidden")
    def hidden():
        return 1

    @ray.remote(name="seen")
    def seen(_):
        return 1

    ray.get(seen.remote(hidden.remote()))
    ended(state, "seen")
    assert state.list_tasks(filters=[("name", "=", "hidden")]) == []


def test_methods_without_events_are_not_there(ray, state):
    @ray.remote(enable_task_events=False)
    class Quiet:
        def silent(self):
            return 1

        @ray.method(enable_task_events=True)
        def loud(self):
            return 1

    quiet = Quiet.remote()
    ray.get([quiet.silent.remote(), quiet.loud.remote()])
    names = eventually(
        lambda: [row.name.rpartition(".")[2] for row in state.list_tasks() if "Quiet" in row.name]
    )
    assert names == ["loud"]


def test_task_by_its_id_and_by_a_reference(ray, state):
    @ray.remote
    def found():
        return ray.get_runtime_context().get_task_id()

    ref = found.remote()
    task_id = ray.get(ref)
    row = eventually(lambda: state.get_task(task_id))
    assert row.task_id == state.get_task(ref).task_id == task_id
    assert row.required_resources == {"CPU": 1.0}
    assert state.get_task("00" * 24) is None


def test_tasks_are_counted(ray, state):
    @ray.remote
    def counted(x):
        assert x

    refs = [counted.options(name="counted", max_retries=0).remote(x) for x in (1, 1, 0)]
    ray.wait(refs, num_returns=3)
    ended(state, "counted", attempts=3)
    summary = state.summarize_tasks()["cluster"]
    group = summary["summary"]["counted"]
    assert group["state_counts"] == {"FINISHED": 2, "FAILED": 1}
    assert (group["func_or_class_name"], group["type"]) == ("counted", "NORMAL_TASK")
    assert summary["total_tasks"] >= 3
    assert summary["summary_by"] == "func_name"


# Objects


def test_objects_that_this_driver_refers_to(backend, ray, state):
    large = ray.put(b"x" * 300_000)
    [row] = state.get_objects(large.hex())
    assert row.object_id == large.hex()
    assert 300_000 <= row.object_size < 301_000
    assert row.reference_type == "LOCAL_REFERENCE"
    assert row.type == "DRIVER"
    assert row.call_site == "disabled"
    assert row.pid == (1 if backend == "sim" else os.getpid())
    assert large.hex() in [row.object_id for row in state.list_objects(limit=10_000)]


def test_the_object_of_a_call_that_has_not_ended(ray, state):
    @ray.remote(num_cpus=1000)
    def never(x):
        return x

    argument = ray.put(1)
    ref = never.remote(argument)
    [row] = eventually(
        lambda: state.get_objects(ref.hex()),
        lambda rows: rows and rows[0].task_status == "PENDING_NODE_ASSIGNMENT",
    )
    assert row.object_size == -1
    [used] = state.get_objects(argument.hex())
    assert used.reference_type == "USED_BY_PENDING_TASK"
    ray.cancel(ref)


def test_an_object_that_nobody_refers_to_is_gone(ray, state):
    ref = ray.put(1)
    object_id = ref.hex()
    assert state.get_objects(object_id)
    del ref
    eventually(lambda: state.get_objects(object_id) is None)


def test_objects_are_counted(ray, state):
    kept = [ray.put(b"x" * 1_000_000) for _ in range(3)]
    summary = state.summarize_objects()["cluster"]
    assert summary["total_objects"] >= len(kept)
    assert summary["total_size_mb"] > 2.8
    assert summary["callsite_enabled"] is False
    assert summary["summary"]["disabled"]["ref_type_counts"]["LOCAL_REFERENCE"] >= 3
