"""Logs in the Standard Workload Format, and orders of the queue on one of them."""

import pytest

from raysim.scenario.loading import load_scenario, parse_scenario
from raysim.scenario.problems import ScenarioError
from raysim.scenario.running import RunOptions, run_workflow
from raysim.scenario.summary import sample

LOG = """; Computer: a small one
; MaxProcs: 4
    1   100   5   60   2   59   -1    2   90    -1  1   7   1  -1  3  1 -1 -1
    2   110   0   10  -1   -1   -1    4   -1  2048  1   8   1  -1  3  1 -1 -1
    3   120   0   -1   2   -1   -1    2   90    -1  5   7   1  -1  3  1 -1 -1
    4   130   0   30   1   -1  512   -1   30    -1  0  -1  -1  -1 -1  1 -1 -1

"""


@pytest.fixture
def scenario(tmp_path):
    def made(log=LOG, more=""):
        (tmp_path / "log.swf").write_text(log)
        file = tmp_path / "log.yaml"
        file.write_text(
            f"cluster: {{cpus: 4}}\nworkload: {{kind: trace, format: swf, file: log.swf}}\n{more}"
        )
        return file

    return made


def test_jobs_are_tasks_of_several_cores(scenario):
    replay = load_scenario(scenario()).workflow
    assert list(replay.ids) == ["job_1", "job_2", "job_4"], "how long the third ran is not known"
    assert list(replay.arrivals_s) == [0, 10, 30]
    assert [task.runtime_s for task in replay.order] == [60, 10, 30]
    assert [task.cores for task in replay.order] == [2, 4, 1]
    assert [task.memory for task in replay.traced] == [0, 8 << 20, 512 << 10]
    assert replay.users == ["user_7", "user_8", ""]
    assert replay.requested_s == [90, None, 30]
    assert [task.queue for task in replay.traced] == ["queue_3", "queue_3", ""]


@pytest.mark.parametrize(
    ("line", "told"),
    [("1 2 3", "a job has 18 fields, this line has 3"), ("x" + " 1" * 17, "not convert string")],
)
def test_a_line_that_is_no_job_is_named(scenario, line, told):
    with pytest.raises(ScenarioError) as caught:
        load_scenario(scenario(f"; a comment\n{line}\n"))
    (problem,) = caught.value.problems
    assert "log.swf:2:1" in str(problem)
    assert told in str(problem)


def test_backfilling_goes_by_the_requested_time(scenario):
    """The second job needs all cores from 60 s on; the last one said 30 s, and ends in time."""
    ends = {}
    for queue in ("fcfs", "easy"):
        run = run_workflow(
            load_scenario(scenario(LOG, f"queue: {queue}\n")).varied(network="free"), RunOptions()
        )
        ends[queue] = [round(end) for end in run.records.end_s]
    assert ends == {"fcfs": [60, 70, 100], "easy": [60, 70, 60]}


HPC2N = """
cluster: {{cpus: 240, network: free}}
queue: {queue}
workload: {{kind: trace, format: swf, file: {file}, speedup: 2}}
"""


def test_a_published_log_runs_whole_and_backfilling_is_better_than_none(shared_data, tmp_path):
    file = shared_data / "swf" / "HPC2N-2002-2.2-first3171.swf"
    slowdown = {}
    for queue in ("fcfs", "easy"):
        text = HPC2N.format(queue=queue, file=file)
        run = run_workflow(parse_scenario(text, tmp_path / "hpc2n.yaml"), RunOptions())
        assert (run.summary.tasks, run.summary.failed) == (3_145, 0)
        values = sample("bounded_slowdown", run.records)
        slowdown[queue] = sum(values) / len(values)
    assert slowdown["easy"] < slowdown["fcfs"] / 2
