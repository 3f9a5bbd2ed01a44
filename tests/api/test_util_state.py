"""`ray.util.state` of nodes, actors, workers, jobs and groups; filters, limits, and what is refused."""

import os
import time
import warnings
from importlib import import_module

import pytest

from tests.api.conftest import CPUS, JUDGE
from tests.api.state_rig import error_of, eventually, session, state_of


@pytest.fixture(scope="module")
def ray(backend):
    yield from session(backend)


@pytest.fixture(scope="module")
def state(ray):
    return state_of(ray)


@pytest.fixture
def wrong(state):
    return error_of(state)


@pytest.fixture
def makes(ray):
    """A class of actors that say who they are."""

    @ray.remote
    class Clerk:
        def __init__(self, _=None):
            self.started = time.time()

        def ident(self):
            return ray.get_runtime_context().get_actor_id()

        def crash(self):
            os._exit(1)

    return Clerk


def id_of(ray, actor):
    return ray.get(actor.ident.remote())


def only(rows):
    assert len(rows) == 1, rows
    return rows[0]


# Nodes, jobs, workers


def test_the_node(ray, state):
    row = only(state.list_nodes(detail=True))
    assert row.node_id == ray.get_runtime_context().get_node_id()
    assert row.state == "ALIVE"
    assert row.is_head_node is True
    assert row.resources_total["CPU"] == CPUS
    assert row.labels["ray.io/node-id"] == row.node_id
    assert 0 < row.start_time_ms <= time.time() * 1000 + 2
    assert row.end_time_ms == 0
    assert state.get_node(row.node_id).node_ip == row.node_ip
    assert state.get_node("00" * 28) is None


def test_what_a_node_offers_a_placement_group_is_not_shown_twice(ray, state, pgs):
    group = pgs.make([{"CPU": 1}])
    assert group.wait(30)
    assert not [name for name in only(state.list_nodes()).resources_total if "group" in name]
    pgs.remove(group)


def test_the_job(ray, state):
    row = only(state.list_jobs(detail=True))
    assert row.job_id == ray.get_runtime_context().get_job_id()
    assert (row.type, row.status) == ("DRIVER", "RUNNING")
    assert row.submission_id is None
    assert row.driver_info.id == row.job_id
    assert row.driver_info.node_ip_address == only(state.list_nodes()).node_ip
    assert row.start_time > 0
    assert state.get_job("no such submission") is None


def test_the_driver_is_a_worker(ray, state):
    row = only(state.list_workers(filters=[("worker_type", "=", "DRIVER")], detail=True))
    assert row.worker_id == ray.get_runtime_context().get_worker_id()
    assert row.is_alive is True
    assert row.exit_type is None
    assert row.node_id == ray.get_runtime_context().get_node_id()
    assert row.start_time_ms > 0
    assert state.get_worker(row.worker_id).worker_type == "DRIVER"


def test_a_worker_that_crashed(ray, state, makes):
    actor = makes.remote()
    id_of(ray, actor)
    actor.crash.remote()
    crashed = [("exit_type", "=", "SYSTEM_ERROR")]
    rows = eventually(lambda: state.list_workers(filters=crashed, detail=True))
    assert rows[0].is_alive is False
    assert rows[0].worker_type == "WORKER"
    assert rows[0].exit_detail
    assert rows[0].start_time_ms <= rows[0].end_time_ms


def test_runtime_environments(ray, state):
    @ray.remote(runtime_env={"env_vars": {"COLOUR": "green"}})
    def coloured():
        return os.environ["COLOUR"]

    assert ray.get(coloured.remote()) == "green"
    rows = eventually(
        lambda: [row for row in state.list_runtime_envs(detail=True) if row.runtime_env],
    )
    assert {"env_vars": {"COLOUR": "green"}} in [row.runtime_env for row in rows]
    assert all(row.success for row in rows)
    assert {row.node_id for row in rows} == {ray.get_runtime_context().get_node_id()}


# Actors


def test_an_actor_that_lives(ray, state, makes):
    actor = makes.options(name="first clerk", num_cpus=1, lifetime="detached").remote()
    actor_id = id_of(ray, actor)
    row = state.get_actor(actor_id)
    assert row.actor_id == actor_id
    assert row.state == "ALIVE"
    assert row.class_name == "makes.<locals>.Clerk"
    assert row.name == "first clerk"
    assert row.job_id == ray.get_runtime_context().get_job_id()
    assert row.node_id == ray.get_runtime_context().get_node_id()
    assert row.ray_namespace == ray.get_runtime_context().namespace
    assert row.required_resources == {"CPU": 1.0}
    assert row.is_detached is True
    assert row.num_restarts == 0
    assert row.death_cause is None
    assert row.placement_group_id is None
    assert row.serialized_runtime_env == "{}"
    assert state.list_workers(filters=[("pid", "=", row.pid)])[0].worker_type == "WORKER"
    ray.kill(actor)


def test_actors_that_do_not_live_yet(ray, state, makes):
    @ray.remote(num_cpus=0)
    def slow():
        time.sleep(20)

    argument = slow.remote()
    unready = makes.remote(argument)
    huge = makes.options(name="huge", num_cpus=1000).remote()
    states = {
        row.name: (row.state, row.node_id, row.pid)
        for row in eventually(
            lambda: state.list_actors(filters=[("state", "!=", "ALIVE"), ("state", "!=", "DEAD")]),
            lambda rows: len(rows) == 2,
        )
    }
    assert states == {
        "": ("DEPENDENCIES_UNREADY", None, 0),
        "huge": ("PENDING_CREATION", None, 0),
    }
    for actor in (unready, huge):
        ray.kill(actor)
    ray.cancel(argument, force=True)


def test_an_actor_that_is_dead(ray, state, makes):
    actor = makes.remote()
    actor_id = id_of(ray, actor)
    ray.kill(actor)
    row = eventually(lambda: state.get_actor(actor_id), lambda row: row.state == "DEAD")
    assert row.node_id == ray.get_runtime_context().get_node_id()
    context = row.death_cause["actor_died_error_context"]
    assert "killed" in context["error_message"]
    assert context["class_name"] == row.class_name
    assert context["never_started"] is False
    assert context["reason"] == "RAY_KILL"


def test_an_actor_that_nobody_refers_to_any_more(ray, state, makes):
    actor = makes.remote()
    actor_id = id_of(ray, actor)
    del actor
    row = eventually(lambda: state.get_actor(actor_id), lambda row: row.state == "DEAD")
    assert row.death_cause["actor_died_error_context"]["reason"] in ("OUT_OF_SCOPE", "REF_DELETED")


def test_an_actor_that_says_who_it_is(ray, state):
    @ray.remote
    class Clerk:
        def __init__(self, name):
            self.name = name

        def __repr__(self):
            return f"Clerk({self.name})"

        def ident(self):
            return ray.get_runtime_context().get_actor_id()

    actor = Clerk.remote("Anna")
    actor_id = id_of(ray, actor)
    row = eventually(lambda: state.get_actor(actor_id), lambda row: row.repr_name)
    assert row.repr_name == "Clerk(Anna)"
    call = [("actor_id", "=", actor_id), ("type", "=", "ACTOR_TASK"), ("state", "=", "FINISHED")]
    rows = eventually(
        lambda: state.list_tasks(filters=call), lambda rows: rows and "Anna" in rows[0].name
    )
    assert (rows[0].name, rows[0].func_or_class_name) == ("Clerk(Anna).ident", "Clerk.ident")


def test_an_actor_that_was_restarted(ray, state, makes):
    actor = makes.options(max_restarts=1, max_task_retries=-1).remote()
    actor_id = id_of(ray, actor)
    actor.crash.options(max_task_retries=0).remote()
    assert id_of(ray, actor) == actor_id
    eventually(
        lambda: state.get_actor(actor_id),
        lambda row: (row.state, row.num_restarts) in [("ALIVE", 1)],
    )
    ray.kill(actor)


def test_actors_are_counted(ray, state, makes):
    class Counted:
        def ident(self):
            return 1

    Counted.__qualname__ = "Counted"
    Counted = ray.remote(Counted)
    living, dead = Counted.remote(), Counted.remote()
    ray.get([living.ident.remote(), dead.ident.remote()])
    ray.kill(dead)
    summary = eventually(
        lambda: state.summarize_actors()["cluster"],
        lambda found: found["summary"]["Counted"]["state_counts"] == {"ALIVE": 1, "DEAD": 1},
    )
    assert summary["summary"]["Counted"]["class_name"] == "Counted"
    assert summary["total_actors"] >= 2
    assert summary["summary_by"] == "class"


# Placement groups


def test_placement_groups(ray, state, pgs):
    made = pgs.make([{"CPU": 1}], name="made", strategy="SPREAD")
    huge = pgs.make([{"CPU": 1000}], name="huge")
    assert made.wait(30)
    row = state.get_placement_group(made.id.hex())
    assert (row.name, row.state) == ("made", "CREATED")
    assert row.creator_job_id == ray.get_runtime_context().get_job_id()
    assert row.is_detached is False
    bundle = only(row.bundles)
    assert bundle["unit_resources"] == {"CPU": 1.0}
    assert bundle["node_id"] == ray.get_runtime_context().get_node_id()
    assert row.stats["scheduling_state"] == "FINISHED"
    waiting = [("state", "=", "PENDING")]
    assert [row.name for row in state.list_placement_groups(filters=waiting)] == ["huge"]
    for group in (made, huge):
        pgs.remove(group)
    gone = [("state", "=", "REMOVED"), ("name", "=", "made")]
    eventually(lambda: state.list_placement_groups(filters=gone))


# Filters and limits


@pytest.fixture(scope="module")
def trio(ray):
    """Three actors, one of them with a name; their ids."""

    class Member:
        def ident(self):
            return ray.get_runtime_context().get_actor_id()

    Member.__qualname__ = "Member"
    Member = ray.remote(Member)
    actors = [Member.options(name="Anna").remote(), Member.remote(), Member.remote()]
    yield sorted(id_of(ray, actor) for actor in actors)
    del actors


MEMBER = ("class_name", "=", "Member")


def test_rows_come_in_the_order_of_their_ids(state, trio):
    found = [row.actor_id for row in state.list_actors(filters=[MEMBER])]
    assert found == trio


def test_filters_must_all_hold(state, trio):
    assert len(state.list_actors(filters=[MEMBER, ("name", "=", "Anna")])) == 1
    assert len(state.list_actors(filters=[MEMBER, ("name", "!=", "Anna")])) == 2
    assert state.list_actors(filters=[MEMBER, ("name", "=", "Bert")]) == []


def test_text_is_compared_without_regard_to_case(state, trio):
    assert (
        len(state.list_actors(filters=[("CLASS_NAME", "=", "MEMBER"), ("name", "=", "aNNA")])) == 1
    )


def test_values_are_compared_as_their_column(state):
    assert len(state.list_nodes(filters=[("is_head_node", "=", "True")])) == 1
    assert len(state.list_nodes(filters=[("is_head_node", "=", True)])) == 1
    assert state.list_nodes(filters=[("is_head_node", "=", "false")]) == []
    driver = only(state.list_workers(filters=[("worker_type", "=", "DRIVER")]))
    same = state.list_workers(
        filters=[("pid", "=", str(driver.pid)), ("worker_type", "=", "driver")]
    )
    assert [row.worker_id for row in same] == [driver.worker_id]


def test_filters_come_before_the_limit(state, trio):
    found = state.list_actors(filters=[MEMBER, ("actor_id", "=", trio[2])], limit=1)
    assert [row.actor_id for row in found] == [trio[2]]
    assert len(state.list_actors(filters=[MEMBER], limit=2)) == 2
    assert state.list_actors(limit=0) == []


def test_filters_that_exclude_each_other(state):
    both = [("state", "=", "ALIVE"), ("state", "=", "DEAD")]
    with pytest.warns(UserWarning, match="multiple '=' filters"):
        assert state.list_actors(filters=both) == []


@pytest.mark.parametrize("limit", [-1, 10_001])
def test_limits_that_are_refused(state, wrong, limit):
    with pytest.raises(wrong):
        state.list_nodes(limit=limit)


@pytest.mark.parametrize(
    ("filters", "says"),
    [
        ([("stat", "=", "ALIVE")], "stat is not supported"),
        ([("resources_total", "=", "x")], "resources_total is not supported"),
        ([("is_head_node", "=", "perhaps")], "is_head_node"),
    ],
)
def test_filters_that_are_refused(state, wrong, filters, says):
    with pytest.raises(wrong, match=says):
        state.list_nodes(filters=filters)


def test_a_state_that_no_actor_can_have_is_refused(state, wrong):
    with pytest.raises(wrong, match="Invalid actor state for filtering: ALIVES"):
        state.list_actors(filters=[("state", "=", "ALIVES")])


def test_a_number_that_is_none_is_refused(state, wrong):
    with pytest.raises(wrong, match="pid"):
        state.list_workers(filters=[("pid", "=", "x")])


@pytest.mark.parametrize("filters", [[("state", "<", "ALIVE")], [("state", "ALIVE")]])
def test_filters_of_a_wrong_form_are_refused(state, filters):
    with pytest.raises(ValueError):  # noqa: PT011  (Ray's own text is another library's)
        state.list_nodes(filters=filters)


def test_an_id_of_a_wrong_length_is_refused(state, wrong):
    with pytest.raises(wrong, match="16"):
        state.get_actor("ab")


# Rows


def test_a_row_is_an_object_and_a_mapping(state):
    row = only(state.list_nodes())
    assert row["state"] == row.state == row.get("state") == row.asdict()["state"]
    assert row.get("colour", "none") == "none"
    with pytest.raises(AttributeError):
        row["colour"]
    row["state"] = "DEAD"
    assert row.state == "DEAD"


def test_details_are_shown_when_they_are_asked_for(state, trio):
    plain = state.list_actors(filters=[MEMBER], limit=1)[0]
    assert plain.required_resources is None
    detailed = state.list_actors(filters=[MEMBER], limit=1, detail=True)[0]
    assert detailed.required_resources == {}
    assert list(plain.asdict()) == list(detailed.asdict())


COLUMNS = {
    "ActorState": "actor_id class_name state job_id name node_id pid ray_namespace "
    "serialized_runtime_env required_resources death_cause is_detached placement_group_id repr_name "
    "num_restarts num_restarts_due_to_lineage_reconstruction num_restarts_due_to_node_preemption "
    "call_site label_selector fallback_strategy",
    "PlacementGroupState": "placement_group_id name creator_job_id state bundles is_detached stats "
    "topology_strategy topology_assignments",
    "NodeState": "node_id node_ip is_head_node state state_message node_name resources_total labels "
    "start_time_ms end_time_ms",
    "JobState": "type job_id submission_id driver_info status entrypoint message error_type "
    "start_time end_time metadata runtime_env driver_agent_http_address driver_node_id "
    "driver_exit_code",
    "WorkerState": "worker_id is_alive worker_type exit_type node_id ip pid exit_detail "
    "worker_launch_time_ms worker_launched_time_ms start_time_ms end_time_ms debugger_port "
    "num_paused_threads",
    "ClusterEventState": "severity time source_type message event_id custom_fields",
    "TaskState": "task_id attempt_number name state job_id actor_id type func_or_class_name "
    "parent_task_id node_id worker_id worker_pid error_type language required_resources "
    "runtime_env_info placement_group_id events profiling_data creation_time_ms start_time_ms "
    "end_time_ms task_log_info error_message is_debugger_paused call_site label_selector "
    "fallback_strategy",
    "ObjectState": "object_id object_size task_status attempt_number reference_type call_site type "
    "pid ip",
    "RuntimeEnvState": "runtime_env success creation_time_ms node_id ref_cnt error",
}
OURS = {"JobState": "priority quota quota_used"}
FILTERABLE = {
    "ActorState": 10,
    "PlacementGroupState": 5,
    "NodeState": 5,
    "JobState": 4,
    "WorkerState": 9,
    "ClusterEventState": 3,
    "TaskState": 16,
    "ObjectState": 9,
    "RuntimeEnvState": 4,
}


@pytest.mark.parametrize("name", list(COLUMNS))
def test_columns_are_those_of_ray(state, name, backend):
    schema = getattr(import_module(f"{state.__name__}.common"), name)
    ours = OURS.get(name, "") if backend != JUDGE else ""
    assert sorted(schema.list_columns()) == sorted([*COLUMNS[name].split(), *ours.split()])
    assert len(schema.filterable_columns()) == FILTERABLE[name], schema.filterable_columns()


def test_rows_for_people(state):
    common = import_module(f"{state.__name__}.common")
    shown = common.ObjectState.humanify({"object_size": 1536, "pid": 7})
    assert shown == {"object_size": "1.500 KiB", "pid": 7}


# Other ways to ask


def test_a_client(state):
    common = import_module(f"{state.__name__}.common")
    client = state.StateApiClient()
    rows = client.list(common.StateResource.NODES, common.ListApiOptions(detail=True), True)
    assert only(rows).resources_total["CPU"] == CPUS
    options = common.GetApiOptions()
    found = client.get(common.StateResource.NODES, rows[0].node_id, options)
    assert found.node_id == rows[0].node_id
    with pytest.raises(ValueError, match="RUNTIME_ENVS"):
        client.get(common.StateResource.RUNTIME_ENVS, "x", options)
    summary = client.summary(
        common.SummaryResource.TASKS,
        options=common.SummaryApiOptions(),
        raise_on_missing_output=True,
    )
    assert list(summary) == ["cluster"]


def test_from_inside_a_task(ray, state):
    name = state.__name__

    @ray.remote
    def asks(address):
        module = import_module(name)
        os.environ["RAY_ADDRESS"] = address  # Which Ray takes before what it is given.
        return [row.node_id for row in module.list_nodes(address)]

    address = ray.get_runtime_context().gcs_address
    assert ray.get(asks.remote(address)) == [ray.get_runtime_context().get_node_id()]


def test_explanations_of_what_was_left_out(state, trio):
    with pytest.warns(UserWarning, match="Limit last 1 entries"):
        state.list_actors(filters=[MEMBER], limit=1, _explain=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        state.list_nodes(_explain=True)


# Logs


def test_logs_need_a_node(state):
    with pytest.raises(AssertionError, match="node"):
        state.list_logs()


@pytest.mark.parametrize(
    "question",
    [
        {"node_id": "00" * 28},
        {"filename": "x"},
        {"node_id": "00" * 28, "node_ip": "127.0.0.1", "filename": "x"},
        {"node_id": "00" * 28, "filename": "x", "suffix": "log"},
    ],
)
def test_logs_that_are_not_named_clearly_are_refused(state, question):
    with pytest.raises(ValueError):  # noqa: PT011  (Ray's own text is another library's)
        list(state.get_log(**question))
