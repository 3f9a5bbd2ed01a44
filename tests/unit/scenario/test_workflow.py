import pytest
from hypothesis import given
from hypothesis import strategies as st

from raysim.scenario.workflow import CycleError, Workflow, WorkflowFile, WorkflowTask


def task(name, runtime_s=1.0, parents=(), cores=1, inputs=(), outputs=()):
    return WorkflowTask(name, name, runtime_s, cores, tuple(parents), tuple(inputs), tuple(outputs))


DIAMOND = Workflow(
    "diamond",
    [task("d", 1, "bc"), task("b", 5, "a"), task("c", 2, "a", cores=4), task("a", 3)],
    [WorkflowFile("x", 10), WorkflowFile("y", 32)],
)


def test_figures_of_a_diamond():
    assert DIAMOND.edges == 4
    assert DIAMOND.work_s == 11
    assert DIAMOND.core_seconds == 17
    assert DIAMOND.critical_path_s == 9
    assert DIAMOND.file_bytes == 42


def test_sums_of_runtimes_do_not_drift():
    """A simulated run ends to the nanosecond: its bound may not lie a rounding error above it."""
    chain = Workflow("chain", [task(str(n), 0.1, [str(n - 1)] if n else []) for n in range(10)])
    assert chain.critical_path_s == chain.work_s == chain.core_seconds == 1.0


@pytest.mark.parametrize(("cores", "bound_s"), [(1, 17), (1.5, 17 / 1.5), (100, 9)])
def test_the_lower_bound_is_the_path_or_the_work(cores, bound_s):
    assert DIAMOND.lower_bound_s(cores) == pytest.approx(bound_s)


def test_a_lower_bound_needs_cores():
    with pytest.raises(ValueError, match="at least one core, not 0"):
        DIAMOND.lower_bound_s(0)


def test_tasks_come_after_their_parents_and_else_in_the_given_order():
    assert [task.id for task in DIAMOND.order] == ["a", "b", "c", "d"]


def test_a_cycle_is_named_from_its_first_task():
    tasks = [task("start"), task("a", parents=["start", "c"]), task("b", parents="a")]
    with pytest.raises(CycleError, match="a -> b -> c -> a") as caught:
        Workflow("bad", [*tasks, task("c", parents="b"), task("end", parents="c")])
    assert caught.value.cycle == ("a", "b", "c")


def test_a_task_that_waits_for_itself_is_a_cycle():
    with pytest.raises(CycleError, match="a -> a"):
        Workflow("bad", [task("a", parents="a")])


@pytest.mark.parametrize(
    ("tasks", "says"),
    [
        ([task("a"), task("a")], "two tasks are called 'a'"),
        ([task("a", parents="b")], "the unknown task 'b'"),
        ([task("a", inputs="f")], "the unknown file 'f'"),
    ],
)
def test_names_must_mean_one_thing(tasks, says):
    with pytest.raises(ValueError, match=says):
        Workflow("bad", tasks)


def test_a_workflow_of_nothing_has_no_length():
    empty = Workflow("empty", [])
    assert (empty.work_s, empty.critical_path_s, dict(empty.needs)) == (0, 0, {})


@given(st.data(), st.integers(1, 30))
def test_the_critical_path_lies_between_the_longest_task_and_the_work(data, count):
    tasks = [
        task(
            str(index),
            data.draw(st.integers(0, 100)),
            [str(parent) for parent in data.draw(st.sets(st.integers(0, index - 1), max_size=4))]
            if index
            else (),
        )
        for index in range(count)
    ]
    workflow = Workflow("drawn", data.draw(st.permutations(tasks)))
    assert max(task.runtime_s for task in tasks) <= workflow.critical_path_s <= workflow.work_s
    position = {task.id: index for index, task in enumerate(workflow.order)}
    assert all(position[parent] < position[task.id] for task in tasks for parent in task.parents)
