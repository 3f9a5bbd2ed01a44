"""A service under requests that were recorded: when they come, and how long they take by what their columns say."""

from pathlib import Path

import pytest

from raysim.journal import Journal
from raysim.scenario.loading import load_scenario
from raysim.scenario.problems import ScenarioError
from raysim.scenario.running import RunOptions, run_workflow
from raysim.scenario.traces.formula import parse_formula

TEXT = """
cluster: {{nodes: 1, cpus: 2}}
workload:
  kind: service
  replicas: 2
  trace: {{file: requests.csv, submit: {submit}, duration: {duration}{more}}}
"""
ROWS = "at,prompt,answer\n12.5,100,40\n10,200,10\n14,0,20\n"


@pytest.fixture
def scenario(tmp_path):
    def made(submit="at", duration="50ms + 1ms * prompt + 25ms * answer", rows=ROWS, more=""):
        (tmp_path / "requests.csv").write_text(rows)
        file = tmp_path / "service.yaml"
        file.write_text(TEXT.format(submit=submit, duration=duration, more=more))
        return file

    return made


def requests_of(file):
    traced = load_scenario(file).workflow.traced
    return [(one.submit_s, pytest.approx(one.duration_s)) for one in traced]


def test_requests_come_when_they_came_and_take_what_their_columns_say(scenario):
    done = run_workflow(load_scenario(scenario()), RunOptions(journal=Journal()))
    assert (done.summary.tasks, done.summary.failed) == (3, 0)
    came = [at - done.records.submitted_s[0] for at in done.records.submitted_s]
    assert came == pytest.approx([0, 2.5, 4], abs=0.01)
    took = [record.ran.length_s for record in done.records]
    assert took == pytest.approx([0.5, 1.15, 0.55], abs=0.01)


def test_another_seed_sends_the_same_requests(scenario):
    experiment = load_scenario(scenario())
    again = experiment.varied(seed=7)
    assert [task.runtime_s for task in again.workflow.order] == [
        task.runtime_s for task in experiment.workflow.order
    ]
    assert again.workflow.work_s == pytest.approx(2.2)


def test_arrivals_are_compressed_and_cut(scenario):
    file = scenario(more=", speedup: 2, count: 2")
    assert requests_of(file) == [(0, 0.5), (1.25, 1.15)]


def test_moments_may_be_dates_and_numbers_of_another_unit(scenario):
    dated = "at,prompt,answer\n2023-11-16 18:17:03.9799600,0,2\n2023-11-16 18:17:05.9799600,0,4\n"
    assert [at for at, _ in requests_of(scenario(rows=dated))] == pytest.approx([0, 2])
    in_ms = scenario(submit="{column: at, unit: ms}")
    assert [at for at, _ in requests_of(in_ms)] == pytest.approx([0, 0.0025, 0.004])


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"duration": "25ms * answr"}, "there is no column 'answr'; did you mean answer?"),
        ({"duration": "1s / prompt"}, ":4:1: the duration, 1s / prompt, divides by zero here"),
        ({"duration": "1s - 1ms * answer * prompt"}, "is -3 s here"),
        ({"duration": "max(answer)"}, "`max(answer)` in 'max(answer)' is not part of a formula"),
        ({"duration": "25ms *"}, "'25ms *' is not a formula"),
        ({"duration": 3}, "a formula is a text"),
        ({"rows": "at,prompt,answer\n"}, "there is no request in this trace"),
        ({"rows": ROWS + "15,x,1\n"}, ":5:1: column 'prompt' is 'x', not a number"),
    ],
)
def test_mistakes_are_told_with_their_place(scenario, changed, told):
    with pytest.raises(ScenarioError) as caught:
        load_scenario(scenario(**changed))
    assert told in str(caught.value)
    assert "Traceback" not in str(caught.value)


@pytest.mark.parametrize(
    ("service", "told"),
    [
        ("count: 3, duration: 1s", "'arrivals' is missing; give it, or the `trace` of requests"),
        ("count: 3, trace: {file: requests.csv, submit: at, duration: 1s}", "leave it out"),
        ("trace: {file: request.csv, submit: at, duration: 1s}", "did you mean requests.csv?"),
    ],
)
def test_requests_are_drawn_or_recorded(scenario, service, told):
    file = scenario()
    file.write_text(f"workload: {{kind: service, {service}}}\n")
    with pytest.raises(ScenarioError) as caught:
        load_scenario(file)
    assert told in str(caught.value)


def test_a_formula_reckons_with_units():
    formula = parse_formula("(50ms + 25ms * answer) / 2 - -1s")
    assert formula.columns == ["answer"]
    assert formula.of({"answer": 10}) == pytest.approx(1.15)


def test_an_hour_of_published_requests_is_served(shared_data: Path, tmp_path):
    file = tmp_path / "azure.yaml"
    log = shared_data / "azure-llm" / "AzureLLMInferenceTrace_code.csv.gz"
    file.write_text(
        "cluster: {nodes: 10, cpus: 2}\n"
        "workload:\n"
        "  kind: service\n"
        "  replicas: 20\n"
        f"  trace: {{file: {log.resolve()}, submit: TIMESTAMP, "
        "duration: 40ms + 0.1ms * ContextTokens + 25ms * GeneratedTokens}\n"
    )
    summary = run_workflow(load_scenario(file), RunOptions(journal=Journal())).summary
    assert (summary.tasks, summary.failed) == (8_819, 0)
    assert 3_400 < summary.makespan_s < 3_600
