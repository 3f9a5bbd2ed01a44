"""`raysim compare`: what differs between two runs, two sweeps, two comparisons; and what cannot be compared."""

import csv
import io
import json
from pathlib import Path

import pytest

SWEPT = """\
cluster: {cpus: 2}
workload: {kind: tasks, count: 8, duration: 1s}
sweep: {cluster.nodes: [1, 2]}
"""
DRAWN = """\
name: drawn
cluster: {nodes: 2, cpus: 2}
workload: {kind: tasks, count: 40, duration: exponential(mean=DURATION), arrivals: poisson(rate=2/s)}
"""


def rows(text):
    """Of a table in Markdown, by their first cell."""
    lines = (line.strip("|").split("|") for line in text.splitlines() if line.startswith("| "))
    return {cells[0].strip(): [cell.strip() for cell in cells[1:]] for cells in lines}


def test_two_runs_are_compared_figure_by_figure(raysim):
    raysim("run", "bag.yaml", "--out", "one")
    raysim("run", "bag.yaml", "--out", "two", "--cpus", "1")
    ended = raysim("compare", "one", "two")
    assert ended.code == 0
    found = rows(ended.out)
    first, second, change, surely = found["makespan_s"]
    assert float(first) == pytest.approx(2, abs=0.1)
    assert float(second) == pytest.approx(4, abs=0.1)
    assert float(change.split()[0]) == pytest.approx(2, abs=0.1)
    assert change.endswith("%)")
    assert surely == ""
    assert "failed" not in found
    assert "wall_s" not in found
    assert "failed" in rows(raysim("compare", "one", "two", "--all").out)


def test_equal_runs_are_said_to_be_equal(raysim):
    raysim("run", "bag.yaml", "--out", "one")
    raysim("run", "bag.yaml", "--out", "two")
    ended = raysim("compare", "one", "two/summary.json")
    assert rows(ended.out) == {}
    assert "Equal digests, so the same run event by event." in ended.out


def test_sweeps_are_compared_run_by_run(raysim):
    Path("swept.yaml").write_text(SWEPT)
    raysim("run", "swept.yaml", "--out", "one")
    Path("swept.yaml").write_text(SWEPT.replace("[1, 2]", "[1, 3]").replace("cpus: 2", "cpus: 4"))
    raysim("run", "swept.yaml", "--out", "two")
    ended = raysim("compare", "one", "two")
    assert "## nodes=1\n" in ended.out
    assert "## nodes=2" not in ended.out
    assert "makespan_s" in rows(ended.out)
    assert "Only in one: nodes=2.\n" in ended.out
    assert "Only in two: nodes=3.\n" in ended.out


def test_comparisons_are_compared_by_their_seeds(raysim):
    for name, duration in (("one", "1s"), ("two", "1s"), ("more", "5s")):
        Path("drawn.yaml").write_text(DRAWN.replace("DURATION", duration))
        asked = ("--policy", "hybrid", "--policy", "spread", "--seeds", "8", "--out", name)
        assert raysim("bench", "policies", "drawn.yaml", *asked).code == 0
    same = raysim("compare", "one", "two").out
    assert rows(same) == {}
    assert same.count("No difference shown in 6 figures.") == 2
    found = rows(raysim("compare", "one", "more").out)
    _, _, _, surely = found["mean(task_wait)"]
    assert surely.startswith("95% interval +")
    assert "failed" not in found


def test_programs_read_it_as_csv_and_json(raysim):
    raysim("run", "bag.yaml", "--out", "one")
    raysim("run", "bag.yaml", "--out", "two", "--cpus", "1")
    table = csv.DictReader(
        io.StringIO(raysim("compare", "one", "two", "--output-format", "csv").out)
    )
    (makespan,) = [row for row in table if row["figure"] == "makespan_s"]
    assert makespan["differs"] == "true"
    found = json.loads(raysim("compare", "one", "two", "--output-format", "json").out)
    assert found["sides"][0]["of"][0] == ""


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        (
            "run",
            "empty",
            "empty: there is none of summary.json, runs.json, comparison.json in this",
        ),
        ("run", "broken", "broken/summary.json: is not what raysim leaves under this name"),
        ("run", "list", "list/comparison.json: is not what raysim leaves under this name"),
        ("run", "bench", "bench: is of comparison, and run of runs: give two of a kind"),
        ("run", "swept", "swept: has no figure in common with run: nodes=1"),
        ("run", "gone", "does not exist"),
    ],
)
def test_what_cannot_be_compared_is_told(raysim, one, other, said):
    raysim("run", "bag.yaml", "--out", "run")
    Path("swept.yaml").write_text(SWEPT)
    raysim("run", "swept.yaml", "--out", "swept")
    for folder, name, text in (
        ("broken", "summary.json", '{"seed": '),
        ("list", "comparison.json", "[1]"),
        ("bench", "comparison.json", '{"plan": {"measures": []}, "outcomes": []}'),
    ):
        Path(folder).mkdir()
        Path(folder, name).write_text(text)
    Path("empty").mkdir()
    ended = raysim("compare", one, other)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err
