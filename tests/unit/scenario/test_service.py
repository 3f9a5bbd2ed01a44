"""A service under requests: its replicas, who gets a request, and what of it works on real processes."""

from pathlib import Path

import pytest

from raysim.journal import Journal
from raysim.scenario.loading import parse_scenario
from raysim.scenario.problems import ScenarioError
from raysim.scenario.running import RunOptions, run_workflow

TEXT = """
cluster: {nodes: 2, cpus: 2}
workload:
  kind: service
  replicas: 4
  count: 400
  duration: exponential(mean=1s)
  arrivals: poisson(rate=3/s)
  deadline: 20s
"""


def run(text=TEXT, **options):
    experiment = parse_scenario(text, Path("service.yaml"))
    return run_workflow(experiment, RunOptions(journal=Journal(), **options))


def waits(router):
    return run(TEXT + f"  router: {router}\n").summary.samples["task_wait"].mean


def test_requests_come_in_time_and_take_as_long_as_they_say():
    done = run()
    requests = done.experiment.workflow
    assert (done.summary.failed, done.summary.tasks) == (0, 400)
    came = [at - done.records.submitted_s[0] for at in done.records.submitted_s]
    drawn = [at - requests.arrivals_s[0] for at in requests.arrivals_s]
    assert came == pytest.approx(drawn, abs=0.01)
    took = [record.ran.length_s for record in done.records]
    assert took == pytest.approx([task.runtime_s for task in requests.order], abs=0.01)
    assert done.summary.deadline_misses < 20


def test_who_knows_more_of_the_replicas_lets_requests_wait_less():
    assert waits("least_outstanding") < waits("power_of_two") < waits("random")


def test_a_replica_answers_as_many_at_once_as_it_may():
    one = TEXT.replace("replicas: 4", "replicas: 1").replace("rate=3/s", "rate=50/s")
    alone = run(one).summary.makespan_s
    assert run(one + "  concurrency: 8\n").summary.makespan_s < alone / 6


def test_a_replica_that_dies_is_replaced_and_its_requests_are_sent_again():
    summary = run(TEXT + "faults: [kill_actor(at=30s), kill_actor(at=60s)]\n").summary
    assert (summary.failed, summary.tasks) == (0, 400)
    assert summary.retried >= 1


def test_real_processes_answer_requests():
    text = TEXT.replace("count: 400", "count: 20")
    summary = run(text, backend="cluster", time_scale=0.05).summary
    assert (summary.failed, summary.tasks) == (0, 20)


def test_a_replica_that_no_node_can_have_is_told():
    with pytest.raises(ScenarioError, match="task 'replica' needs 3 cores, but the largest node"):
        run(TEXT + "  cpus: 3\n")
