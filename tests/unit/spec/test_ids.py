"""Ids are slices of each other, derived from their parents, and never the same twice."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raysim.spec.ids import (
    ACTOR_ID_BYTES,
    JOB_ID_BYTES,
    OBJECT_ID_BYTES,
    TASK_ID_BYTES,
    IdSource,
    actor_creation_task,
    actor_handle_object,
    actor_of_task,
    driver_task,
    function_id,
    is_put,
    job_id,
    job_of_task,
    named_node_id,
    named_worker_id,
    nil_actor,
    return_id,
    task_of_object,
)

JOB = job_id(3)
TASK = IdSource(driver_task(JOB)).task()

kinds = st.lists(st.sampled_from(["task", "actor", "put", "actor_task"]), max_size=60)


def derive(source, kind):
    return source.actor_task(ACTOR) if kind == "actor_task" else getattr(source, kind)()


ACTOR = IdSource(driver_task(job_id(8))).actor()


def test_each_id_ends_in_the_one_it_belongs_to():
    source = IdSource(driver_task(JOB))
    actor = source.actor()
    task = source.actor_task(actor)
    result = return_id(task, 0)
    sizes = [len(JOB), len(actor), len(task), len(result)]
    assert sizes == [JOB_ID_BYTES, ACTOR_ID_BYTES, TASK_ID_BYTES, OBJECT_ID_BYTES]
    assert task_of_object(result) == task
    assert actor_of_task(task) == actor
    assert job_of_task(task) == JOB
    assert actor.endswith(JOB)


def test_normal_task_belongs_to_no_actor():
    assert actor_of_task(TASK) == nil_actor(JOB)
    assert job_of_task(TASK) == JOB


def test_index_of_a_return_counts_from_one():
    """Ray: the index in the object id."""
    assert return_id(TASK, 0)[TASK_ID_BYTES:] == (1).to_bytes(4, "little")


def test_put_is_told_from_a_return():
    assert is_put(IdSource(TASK).put())
    assert not is_put(return_id(TASK, 0))
    assert task_of_object(IdSource(TASK).put()) == TASK


def test_handle_object_is_the_return_of_the_constructor():
    assert task_of_object(actor_handle_object(ACTOR)) == actor_creation_task(ACTOR)
    assert actor_of_task(actor_creation_task(ACTOR)) == ACTOR


@given(kinds)
def test_same_program_derives_the_same_ids(program):
    one, two = IdSource(TASK), IdSource(TASK)
    assert [derive(one, kind) for kind in program] == [derive(two, kind) for kind in program]


@given(kinds, kinds, st.integers(0, 5), st.integers(0, 5))
def test_no_id_is_derived_twice_whatever_the_attempts(program, again, attempt, other):
    """What a dead attempt left behind is never taken for the living one's."""
    source = IdSource(TASK, attempt)
    ids = [derive(source, kind) for kind in program]
    if other != attempt:
        source = IdSource(TASK, other)
        ids += [derive(source, kind) for kind in again]
    assert len(set(ids)) == len(ids)


@given(st.integers(1, 2000), st.integers(0, 3))
def test_siblings_descendants_and_their_puts_never_collide(count, attempt):
    source = IdSource(TASK, attempt)
    tasks = [source.task() for _ in range(count)]
    children = [IdSource(task).task() for task in tasks]
    objects = [source.put() for _ in range(count)] + [return_id(task, 0) for task in tasks]
    assert len({*tasks, *children}) == 2 * count
    assert len(set(objects)) == 2 * count


def test_puts_of_one_task_have_an_end():
    source = IdSource(TASK)
    source._puts += (1 << 27) - 2
    source.put()
    with pytest.raises(OverflowError, match="puts"):
        source.put()


def test_functions_are_known_by_their_content():
    assert function_id(b"one") == function_id(b"one")
    assert function_id(b"one") != function_id(b"two")


def test_names_give_ids_that_differ_between_node_and_process():
    assert named_node_id("a") == named_node_id("a")
    assert named_worker_id("a") != named_worker_id("b")


def test_ids_do_not_depend_on_the_seed_of_hashing(repository):
    program = (
        "from raysim.spec.ids import *; s = IdSource(driver_task(job_id(1)));"
        "print((s.task() + s.actor() + s.put() + function_id(b'f')).hex())"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", program], check=True, cwd=repository, text=True,
            capture_output=True, env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(repository)},
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(printed) == 1


def test_source_knows_the_tasks_that_it_named():
    """So that the children of a task can be found, though nobody wrote them down."""
    parent = IdSource(driver_task(job_id(1))).task()
    source, other = IdSource(parent), IdSource(parent, attempt=1)
    actor = source.actor()
    mine = [source.task(), source.actor_task(actor), source.task()]
    assert all(IdSource(parent).made(task) for task in mine)
    assert not any(other.made(task) for task in mine)
    assert not source.made(parent)
