"""`list_logs` and `get_log` of `ray.util.state`: what workers printed."""

import sys

import pytest

from tests.api.state_rig import error_of, eventually, session, state_of


@pytest.fixture(scope="module")
def ray(backend):
    yield from session(backend)


@pytest.fixture(scope="module")
def state(ray):
    return state_of(ray)


@pytest.fixture(scope="module")
def printer(ray):
    @ray.remote
    class Printer:
        def say(self, text, file="stdout"):
            print(text, file=getattr(sys, file), flush=True)
            context = ray.get_runtime_context()
            return context.get_actor_id(), context.get_task_id(), context.get_node_id()

    return Printer.remote()


def read(state, wanted, **question):
    """The log, once it has this: files are written a little later, and Ray's agents, who hand them out, start late."""

    def ask():
        try:
            return "".join(state.get_log(**question))
        except error_of(state):
            return ""  # No agent yet.

    return eventually(ask, lambda text: wanted in text)


def test_the_log_of_an_actor(ray, state, printer):
    actor_id, _, _ = ray.get(printer.say.remote("hello from the actor"))
    lines = read(state, "hello from the actor", actor_id=actor_id).splitlines()
    assert "hello from the actor" in lines


def test_what_went_to_standard_error(ray, state, printer):
    actor_id, _, _ = ray.get(printer.say.remote("a complaint", "stderr"))
    assert "a complaint" in read(state, "a complaint", actor_id=actor_id, suffix="err")
    assert "a complaint" not in "".join(state.get_log(actor_id=actor_id))


def test_the_log_of_a_worker(ray, state, printer):
    actor_id, _, node_id = ray.get(printer.say.remote("by its pid"))
    pid = eventually(lambda: state.get_actor(actor_id)).pid
    assert "by its pid" in read(state, "by its pid", pid=pid, node_id=node_id)


def test_the_last_lines(ray, state, printer):
    actor_id, _, _ = ray.get(printer.say.remote("one\ntwo\nthree"))
    read(state, "three", actor_id=actor_id)
    assert "".join(state.get_log(actor_id=actor_id, tail=2)).splitlines() == ["two", "three"]


def test_files_of_a_node(ray, state, printer):
    actor_id, _, node_id = ray.get(printer.say.remote("in a file"))
    read(state, "in a file", actor_id=actor_id)
    found = eventually(lambda: state.list_logs(node_id=node_id, glob_filter="*worker*.out"))
    assert list(found) == ["worker_out"]
    assert all("worker" in name for name in found["worker_out"])
    texts = ["".join(state.get_log(node_id=node_id, filename=name)) for name in found["worker_out"]]
    assert any("in a file" in text for text in texts)


def test_a_log_that_is_followed(ray, state, printer):
    actor_id, _, _ = ray.get(printer.say.remote("before"))
    read(state, "before", actor_id=actor_id)
    parts = state.get_log(actor_id=actor_id, follow=True, tail=1, _interval=0.1)
    assert "before" in next(parts)
    ray.get(printer.say.remote("after"))
    assert "after" in eventually(lambda: next(parts), lambda text: "after" in text)


def test_a_file_that_is_not_there(ray, state, printer):
    actor_id, _, node_id = ray.get(printer.say.remote("something"))
    read(state, "something", actor_id=actor_id)
    with pytest.raises(error_of(state)):
        list(state.get_log(node_id=node_id, filename="nothing.out"))
