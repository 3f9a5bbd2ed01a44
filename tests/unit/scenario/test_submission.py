from collections import Counter

import pytest

from raysim.scenario.submission import stage, submit_workflow
from raysim.scenario.wfformat import load_wfformat
from raysim.scenario.workflow import Workflow, WorkflowFile, WorkflowTask
from raysim.spec.ids import IdSource, driver_task, job_id, return_id


class FakeRef:
    """A reference that tells its owner when nothing holds it any more."""

    def __init__(self, object_id, alive):
        self.object_id = object_id
        self.alive = alive
        alive[object_id] += 1

    def binary(self):
        return self.object_id

    def __del__(self):
        self.alive[self.object_id] -= 1


class FakeBackend:
    """Remembers what was submitted; holds no reference."""

    def __init__(self):
        self.calls = []
        self.alive = Counter()
        self._ids = IdSource(driver_task(job_id(1)))

    def submit_task(self, target, options, args, kwargs):
        assert kwargs == {}
        task_id = self._ids.task()
        refs = [
            FakeRef(return_id(task_id, index), self.alive) for index in range(options.num_returns)
        ]
        self.calls.append((options, [arg.binary() for arg in args], [ref.binary() for ref in refs]))
        return refs


PIPE = Workflow(
    "pipe",
    [
        WorkflowTask("make_1", "make_1", 1.5, outputs=("data", "log")),
        WorkflowTask("use_1", "use_1", 2, 2, ("make_1",), ("raw", "data"), ("sum",)),
        WorkflowTask("last", "last", 3, 1, ("use_1", "make_1"), (), ()),
    ],
    [
        WorkflowFile("raw", 9),
        WorkflowFile("data", 10),
        WorkflowFile("log", 4),
        WorkflowFile("sum", 2),
    ],
)


@pytest.fixture
def backend():
    return FakeBackend()


def test_a_task_has_its_duration_its_cores_and_its_files(backend):
    submit_workflow(PIPE, backend, time_scale=0.5)
    make, use, last = (options for options, _, _ in backend.calls)
    assert (make.name, make.num_cpus, make.num_returns) == ("make", 1, 3)
    assert (make.work.duration_ns, make.work.return_sizes) == (750_000_000, (0, 5, 2))
    assert (use.num_cpus, use.work.return_sizes) == (2, (0, 1))
    assert (last.num_returns, last.work.return_sizes) == (1, (0,))


def test_a_task_waits_for_the_files_it_reads_and_else_for_tokens(backend):
    submit_workflow(PIPE, backend)
    (_, no_args, (made, data, _)), (_, use_args, (used, _)), (_, last_args, _) = backend.calls
    assert no_args == []
    assert use_args == [data]
    assert last_args == [used, made]


def test_only_tokens_and_unread_files_are_kept(backend):
    submitted = submit_workflow(PIPE, backend)
    kept = {object_id for object_id, count in backend.alive.items() if count}
    results = {ref.binary() for ref in submitted.results}
    assert kept == {ref.binary() for ref in submitted.tokens} | results
    assert len(results) == 2  # `log` and `sum`


def test_every_edge_of_the_mosaic_is_respected(backend, repository):
    workflow = load_wfformat(repository / "scenarios" / "workflows" / "mosaic.json")
    submit_workflow(workflow, backend)
    position = {object_id: at for at, call in enumerate(backend.calls) for object_id in call[2]}
    names = [task.id for task in workflow.order]
    for task, (_, args, _) in zip(workflow.order, backend.calls, strict=True):
        assert {names[position[arg]] for arg in args} == set(task.parents)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("mProject_ID0000001", "mProject"),
        ("project_0_12", "project"),
        ("cpuhog_chain_00000001", "cpuhog_chain"),
        ("bowtie2-build_ID0000001", "bowtie2-build"),
        ("co_add", "co_add"),
        ("42", "42"),
    ],
)
def test_a_stage_is_the_name_without_its_number(name, kind):
    assert stage(name) == kind
