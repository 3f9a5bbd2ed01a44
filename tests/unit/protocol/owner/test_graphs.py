"""A driver's compiled graphs: opened at living actors, passes gathered, ended with any of the actors."""

import pytest

from raysim.protocol.messages import (
    ActorChanged,
    ChannelOutput,
    ChannelRead,
    ChannelWrite,
    CloseGraph,
    ConnectGraph,
    GraphOpened,
    GraphStep,
    OpenGraph,
    SubscribeActor,
)
from raysim.spec.actor import ActorInfo, ActorState
from raysim.spec.failure import Failure, FailureKind
from raysim.spec.graph import GraphPlan, PlannedStep
from tests.unit.protocol.fake_host import address
from tests.unit.protocol.fake_process import FakeOutlet
from tests.unit.protocol.owner.rig import DRIVER, GCS, RAYLET

WORKERS = [address(f"actor {index}", "far") for index in range(2)]
DIED = Failure(FailureKind.ACTOR_DIED, "killed")


@pytest.fixture
def actors(rig):
    return [rig.ids.actor() for _ in WORKERS]


@pytest.fixture
def plan(actors):
    """Two actors in a row: channel 0 goes in, 1 between them, 2 comes out."""
    first, second = actors
    steps = [
        PlannedStep(first, "one", b"a", [(0, 0)], [1]),
        PlannedStep(second, "two", b"b", [(0, 1)], [2]),
    ]
    return GraphPlan(steps, [0], [2])


@pytest.fixture
def answers():
    return []


@pytest.fixture
def graph(rig, plan, answers):
    """Asked for; the actors are not known yet."""
    return rig.owner.graphs.open(rig.ids.task(), plan, answers.append)


@pytest.fixture
def opened(rig, graph, actors, answers):
    for index, actor_id in enumerate(actors):
        changed(rig, actor_id, worker=WORKERS[index])
    for index, actor_id in enumerate(actors):
        rig.tell(WORKERS[index], GraphOpened(graph.graph_id, actor_id))
    assert answers == [None]
    rig.host.take()
    return graph


def changed(rig, actor_id, state=ActorState.ALIVE, worker=WORKERS[0], incarnation=0, **fields):
    version = rig.host.now_ns() + 1
    rig.host.advance(1)
    info = ActorInfo(actor_id, state, incarnation, version, worker, class_name="Stage", **fields)
    rig.tell(GCS, ActorChanged(info))


def output(rig, graph, number, payload=b"V", channel=2, sender=WORKERS[1], **fields):
    rig.tell(sender, ChannelWrite(graph.graph_id, number, channel, payload, **fields))


def done(rig, graph, number):
    return rig.owner.graphs.is_done(graph, number)


def waits(rig, graph):
    """What it is told, once something has happened."""
    told = []
    rig.owner.graphs.when_told(graph, lambda: told.append(len(told)))
    return told


# Opening.


def test_each_actor_is_told_its_part_once_all_of_them_live(rig, graph, actors):
    assert [m.actor_id for _, m in rig.take(SubscribeActor)] == actors
    changed(rig, actors[1], worker=WORKERS[1])
    assert rig.take(OpenGraph) == []
    changed(rig, actors[0], worker=WORKERS[0])
    (one, first), (two, second) = rig.take(OpenGraph)
    assert [one, two] == WORKERS
    between, out = ChannelOutput(1, [WORKERS[1]]), ChannelOutput(2, [DRIVER])
    assert first.steps == [GraphStep("one", b"a", [(0, 0)], [between])]
    assert second.steps == [GraphStep("two", b"b", [(0, 1)], [out])]
    assert graph.inputs == [ChannelOutput(0, [WORKERS[0]])]


def test_graph_is_open_when_every_actor_has_said_so(rig, graph, actors, answers):
    for index, actor_id in enumerate(actors):
        changed(rig, actor_id, worker=WORKERS[index])
    rig.tell(WORKERS[0], GraphOpened(graph.graph_id, actors[0]))
    rig.tell(WORKERS[0], GraphOpened(graph.graph_id, actors[0]))
    assert answers == []
    rig.tell(WORKERS[1], GraphOpened(graph.graph_id, actors[1]))
    assert answers == [None]


def test_dead_actor_is_an_answer(rig, graph, actors, answers):
    changed(rig, actors[0], worker=WORKERS[0])
    changed(rig, actors[1], ActorState.DEAD, death=DIED)
    assert answers == [DIED]
    assert rig.take(OpenGraph) == []


def test_actor_that_is_known_to_be_dead(rig, plan, actors, answers):
    rig.owner.actor_calls.clients.of(actors[0])
    changed(rig, actors[0], ActorState.DEAD, death=DIED)
    graph = rig.owner.graphs.open(rig.ids.task(), plan, answers.append)
    assert graph.failure == DIED
    assert answers == [DIED]


def test_actor_that_dies_while_the_graph_opens(rig, graph, actors, answers):
    for index, actor_id in enumerate(actors):
        changed(rig, actor_id, worker=WORKERS[index])
    changed(rig, actors[1], ActorState.DEAD, death=DIED)
    assert answers == [DIED]
    assert [to for to, _ in rig.take(CloseGraph)] == WORKERS


def test_actor_that_restarts_is_waited_for(rig, graph, actors, answers):
    changed(rig, actors[0], ActorState.RESTARTING)
    changed(rig, actors[0], incarnation=1)
    changed(rig, actors[1], worker=WORKERS[1])
    assert len(rig.take(OpenGraph)) == 2


# Passes.


def test_pass_is_done_when_its_output_is_here(rig, opened):
    rig.owner.graphs.begin(opened, 0)
    assert not done(rig, opened, 0)
    output(rig, opened, 0, b"V9")
    assert done(rig, opened, 0)
    assert opened.passes[0].written[2][1].payload == b"V9"


def test_whoever_waits_is_told_once(rig, opened):
    rig.owner.graphs.begin(opened, 0)
    told = waits(rig, opened)
    output(rig, opened, 0)
    output(rig, opened, 0)
    assert told == [0]


def test_pass_with_two_outputs_waits_for_both(rig, actors, answers):
    steps = [PlannedStep(actors[0], "split", b"", [(0, 0)], [1, 2])]
    plan = GraphPlan(steps, [0], [1, 2, 1])
    graph = rig.owner.graphs.open(rig.ids.task(), plan, answers.append)
    changed(rig, actors[0])
    rig.tell(WORKERS[0], GraphOpened(graph.graph_id, actors[0]))
    rig.owner.graphs.begin(graph, 0)
    output(rig, graph, 0, channel=2, sender=WORKERS[0])
    output(rig, graph, 0, channel=2, sender=WORKERS[0])
    assert not done(rig, graph, 0)
    output(rig, graph, 0, channel=1, sender=WORKERS[0])
    assert done(rig, graph, 0)


def test_error_ends_a_pass_before_its_other_outputs_come(rig, actors, answers):
    steps = [PlannedStep(actors[0], "split", b"", [(0, 0)], [1, 2])]
    graph = rig.owner.graphs.open(rig.ids.task(), GraphPlan(steps, [0], [1, 2]), answers.append)
    rig.owner.graphs.begin(graph, 0)
    changed(rig, actors[0])
    output(rig, graph, 0, b"Eboom", channel=2, sender=WORKERS[0], is_error=True)
    assert done(rig, graph, 0)
    assert graph.passes[0].error.payload == b"Eboom"


def test_output_that_nobody_asks_for_counts_as_read(rig, opened):
    output(rig, opened, 5, held=True)
    assert rig.take(ChannelRead) == [(WORKERS[1], ChannelRead(opened.graph_id, 5, 2))]


def test_output_that_was_read_is_acknowledged_if_something_is_held(rig, opened):
    for number, held in enumerate((False, True)):
        rig.owner.graphs.begin(opened, number)
        output(rig, opened, number, held=held)
        rig.owner.graphs.read(opened.passes.pop(number))
    assert rig.take(ChannelRead) == [(WORKERS[1], ChannelRead(opened.graph_id, 1, 2))]


def test_stored_input_lives_until_every_reader_has_read_it(rig, opened):
    name = rig.put_stored()
    entry = rig.found(name)
    to = ChannelOutput(0, WORKERS)
    rig.owner.channels.write_stored(opened.graph_id, 0, to, entry)
    rig.drop(name)
    assert [w.object_id for _, w in rig.take(ChannelWrite)] == [name, name]
    rig.tell(WORKERS[0], ChannelRead(opened.graph_id, 0, 0))
    rig.tell(WORKERS[0], ChannelRead(opened.graph_id, 0, 0))
    assert name in rig.entries
    rig.tell(WORKERS[1], ChannelRead(opened.graph_id, 0, 0))
    assert name not in rig.entries


# Inboxes.

NEAR = [address(f"actor {index}", "near") for index in range(2)]


@pytest.fixture
def connect(rig, plan, actors, answers):
    """`connect(addresses)`: a graph whose actors live there, and have inboxes."""

    def open_graph(addresses):
        rig.host.has_inboxes = True
        for index in range(len(addresses)):
            rig.host.outlets[f"place {index}"] = FakeOutlet()
        graph = rig.owner.graphs.open(rig.ids.task(), plan, answers.append)
        for index, actor_id in enumerate(actors):
            changed(rig, actor_id, worker=addresses[index])
        for index, actor_id in enumerate(actors):
            opened = GraphOpened(graph.graph_id, actor_id, f"place {index}")
            rig.tell(addresses[index], opened)
        assert answers == [None]
        return graph

    return open_graph


def test_writers_are_told_of_the_inboxes_of_those_that_read_them(rig, connect):
    graph = connect(NEAR)
    first, second = NEAR
    own = graph.inbox.place
    assert rig.take(ConnectGraph) == [
        (first, ConnectGraph(graph.graph_id, {second.worker_id: "place 1"})),
        (second, ConnectGraph(graph.graph_id, {DRIVER.worker_id: own})),
    ]
    assert graph.outlets == {first.worker_id: rig.host.outlets["place 0"]}


def test_inboxes_of_other_nodes_are_out_of_reach(rig, connect):
    graph = connect([NEAR[0], WORKERS[1]])
    assert rig.take(ConnectGraph) == []
    assert list(graph.outlets) == [NEAR[0].worker_id]


def test_driver_far_from_all_actors_has_no_inbox(rig, connect):
    graph = connect(WORKERS)
    assert graph.inbox is None
    assert graph.outlets == {}
    ((to, message),) = rig.take(ConnectGraph)
    assert (to, message.places) == (WORKERS[0], {WORKERS[1].worker_id: "place 1"})


def test_driver_that_is_one_of_the_actors_has_no_inbox_of_its_own(rig, connect):
    """Its part has one for the same graph: who writes would not know which to take."""
    assert connect([NEAR[0], DRIVER]).inbox is None


def test_inbox_that_cannot_be_reached_is_done_without(rig, plan, actors, answers):
    rig.host.has_inboxes = True
    graph = rig.owner.graphs.open(rig.ids.task(), plan, answers.append)
    for index, actor_id in enumerate(actors):
        changed(rig, actor_id, worker=NEAR[index])
    for index, actor_id in enumerate(actors):
        rig.tell(NEAR[index], GraphOpened(graph.graph_id, actor_id, "gone"))
    assert answers == [None]
    assert graph.outlets == {}


def test_output_is_taken_from_the_inbox(rig, connect):
    graph = connect(NEAR)
    for number in range(2):
        rig.owner.graphs.begin(graph, number)
    graph.inbox.come = [ChannelWrite(graph.graph_id, number, 2, b"V") for number in range(3)]
    assert not done(rig, graph, 1)
    rig.owner.graphs.look(graph)
    assert done(rig, graph, 0)
    assert done(rig, graph, 1)


def test_outputs_of_a_pass_may_come_both_ways(rig, actors, answers):
    rig.host.has_inboxes = True
    steps = [PlannedStep(actors[0], "split", b"", [(0, 0)], [1, 2])]
    graph = rig.owner.graphs.open(rig.ids.task(), GraphPlan(steps, [0], [1, 2]), answers.append)
    changed(rig, actors[0], worker=NEAR[0])
    rig.owner.graphs.begin(graph, 0)
    graph.inbox.come = [ChannelWrite(graph.graph_id, 0, 1, b"V")]
    rig.owner.graphs.look(graph)
    assert not done(rig, graph, 0)
    output(rig, graph, 0, channel=2, sender=NEAR[0])
    assert done(rig, graph, 0)


def test_closed_graph_lets_go_of_its_inbox_and_outlets(rig, connect):
    graph = connect(NEAR)
    rig.owner.graphs.begin(graph, 0)
    graph.inbox.come = [ChannelWrite(graph.graph_id, 0, 2, b"V")]
    rig.owner.graphs.close(graph)
    rig.owner.graphs.let_go(graph)
    assert graph.passes[0].done
    assert graph.inbox.closed
    assert rig.host.outlets["place 0"].closed


# The end.


def test_death_of_an_actor_fails_what_is_under_way_and_closes_the_others(rig, opened, actors):
    for number in range(2):
        rig.owner.graphs.begin(opened, number)
    output(rig, opened, 0)
    told = waits(rig, opened)
    assert not done(rig, opened, 1)
    changed(rig, actors[0], ActorState.DEAD, death=DIED)
    assert told == [0]
    assert opened.failure == DIED
    assert done(rig, opened, 1)
    assert (WORKERS[1], CloseGraph(opened.graph_id)) in rig.take(CloseGraph)


def test_restart_of_an_actor_ends_the_graph_as_well(rig, opened, actors):
    changed(rig, actors[0], ActorState.RESTARTING)
    assert opened.failure.kind == FailureKind.ACTOR_DIED
    assert "compile another one" in opened.failure.text


def test_restart_that_was_missed_is_seen_by_the_new_process(rig, opened, actors):
    changed(rig, actors[0], worker=address("new", "far"), incarnation=1)
    assert opened.failure.kind == FailureKind.ACTOR_DIED


def test_news_that_change_nothing_leave_the_graph_alone(rig, opened, actors):
    changed(rig, actors[0], worker=WORKERS[0])
    assert opened.failure is None


def test_closed_graph_lets_go_of_everything(rig, opened):
    name = rig.put_stored()
    rig.owner.channels.write_stored(opened.graph_id, 0, ChannelOutput(0, WORKERS), rig.found(name))
    rig.drop(name)
    rig.owner.graphs.close(opened)
    rig.owner.graphs.close(opened)
    assert [to for to, _ in rig.take(CloseGraph)] == WORKERS
    assert opened.failure.kind == FailureKind.CHANNEL_CLOSED
    assert rig.entries == {}


def test_late_output_of_a_closed_graph_is_nobodys(rig, opened):
    rig.owner.graphs.begin(opened, 0)
    rig.owner.graphs.close(opened)
    output(rig, opened, 0)
    assert opened.passes[0].written == {}


def test_raylet_of_this_driver_keeps_what_is_written(rig, opened):
    name = rig.put_stored()
    rig.owner.channels.write_stored(opened.graph_id, 3, ChannelOutput(0, WORKERS), rig.found(name))
    ((_, write), _) = rig.take(ChannelWrite)
    assert (write.number, write.holder, write.held) == (3, RAYLET, True)
