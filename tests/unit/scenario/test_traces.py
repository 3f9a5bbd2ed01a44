"""Recorded workloads: what their files say, what of it is replayed, and what is wrong with a file."""

import gzip
import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import pytest

import raysim
from raysim.scenario.loading import load_scenario
from raysim.scenario.problems import ScenarioError
from raysim.scenario.running import RunOptions, run_workflow
from raysim.scenario.trace_model import Format
from raysim.scenario.traces.reading import READERS

TABLE = """came,ran_ms,cpu_milli,ram,who,gpus
30,4000,2000,512,ann,0
10,1500,500,256,bob,0
20,2500,,1024,ann,1
"""
COLUMNS = """
    submit: came
    duration: {column: ran_ms, unit: ms}
    cpus: {column: cpu_milli, unit: milli}
    gpus: gpus
    memory: {column: ram, unit: MiB}
    user: who
"""


@pytest.fixture
def scenario(tmp_path):
    def made(table=TABLE, columns=COLUMNS, more="", nodes="{cpus: 4, gpus: 1}"):
        if table is not None:
            (tmp_path / "trace.csv").write_text(table)
        file = tmp_path / "trace.yaml"
        file.write_text(
            f"cluster: {{nodes: [{nodes}]}}\n"
            f"workload:\n  kind: trace\n  format: csv\n  file: trace.csv\n{more}"
            f"  columns:{columns}"
        )
        return file

    return made


def problem(file):
    with pytest.raises(ScenarioError) as error:
        load_scenario(file)
    (found,) = error.value.problems
    return str(found).rpartition("/")[2]


def test_a_table_is_read_by_its_columns_in_their_units(scenario):
    replay = load_scenario(scenario()).workflow
    assert list(replay.arrivals_s) == [0, 10, 20]
    assert [task.runtime_s for task in replay.order] == [1.5, 2.5, 4]
    assert [task.cores for task in replay.order] == [0.5, 1, 2]
    assert [task.gpus for task in replay.order] == [0, 1, 0]
    assert [task.user for task in replay.traced] == ["bob", "ann", "ann"]
    assert [task.memory for task in replay.traced] == [256 << 20, 1024 << 20, 512 << 20]


def test_tasks_ask_for_memory_only_where_nodes_say_how_much_they_have(scenario):
    assert {task.memory for task in load_scenario(scenario()).workflow.order} == {0}
    file = scenario(nodes="{cpus: 4, gpus: 1, memory: 2GiB}")
    assert max(task.memory for task in load_scenario(file).workflow.order) == 1 << 30


def test_only_tasks_that_meet_every_condition_are_replayed_at_the_pace_asked_for(scenario):
    more = '  where: [user == ann, "submit > 0s"]\n  speedup: 2\n'
    replay = load_scenario(scenario(more=more)).workflow
    assert list(replay.arrivals_s) == [0, 5]
    assert [task.runtime_s for task in replay.order] == [2.5, 4]
    assert len(load_scenario(scenario(more="  count: 1\n")).workflow.order) == 1


def test_dates_and_ends_say_when_and_how_long(scenario):
    table = "a,b,c\n2024-01-01 00:00:00,2024-01-01T00:00:02Z,2024-01-01T01:00:05+01:00\n"
    replay = load_scenario(scenario(table, "\n    submit: a\n    start: b\n    end: c\n")).workflow
    assert [task.runtime_s for task in replay.order] == [3]


def test_a_replayed_run_submits_each_task_when_it_came(scenario):
    run = run_workflow(load_scenario(scenario()), RunOptions())
    assert run.summary.failed == 0
    assert list(run.records.submitted_s) == pytest.approx([0, 10, 20], abs=0.01)
    assert run.summary.makespan_s == pytest.approx(24, abs=0.1)
    assert run.summary.lower_bound_s == 24


@pytest.mark.parametrize(
    ("table", "columns", "more", "said"),
    [
        (
            TABLE.replace("2000", "two"),
            COLUMNS,
            "",
            "trace.csv:2:1: column 'cpu_milli' is 'two', not a number of at least 0",
        ),
        (
            TABLE,
            COLUMNS.replace("who", "whoo"),
            "",
            "trace.csv:1:1: there is no column 'whoo'; did you mean who?",
        ),
        (TABLE, COLUMNS, "  where: [gpus > 7]\n", "trace.csv: no task is left of 3 where gpus > 7"),
        (TABLE.splitlines()[0], COLUMNS, "", "trace.csv: there is no task in this trace"),
        ("", COLUMNS, "", "trace.csv:1:1: there is no line with columns"),
        (
            "a,b\n5,3\n",
            "\n    submit: a\n    end: b\n",
            "",
            "trace.csv:2:1: the task ends 2 s before it starts",
        ),
        (
            "a,b\n2024-13-01,3\n",
            "\n    submit: a\n    duration: b\n",
            "",
            "trace.csv:2:1: column 'a' is '2024-13-01', not a date and time such as 2017-10-09 07:01:55",
        ),
        (TABLE + "40\n", COLUMNS, "", "trace.csv:5:1: column 'ran_ms' is missing in this line"),
    ],
)
def test_a_wrong_table_is_told_with_its_line(scenario, table, columns, more, said):
    assert problem(scenario(table, columns, more)) == said


def test_a_task_that_no_node_can_have_is_told_with_the_remedy(scenario):
    said = problem(scenario(nodes="{cpus: 4}"))
    assert said == (
        "trace.yaml:1:10: task 'line_4' needs 1 GPUs, but the largest node has 0; "
        "give nodes more gpus, or leave such tasks out of a trace with `where`"
    )
    apart = problem(scenario(nodes="{cpus: 4}, {cpus: 0.5, gpus: 1}"))
    assert apart.endswith("needs 1 cores, 1 GPUs, and no node has them together; add such a node")


def test_every_format_that_a_scenario_may_name_has_a_reader():
    assert set(get_args(Format)) == set(READERS)


def test_a_packed_trace_of_philly_becomes_jobs_with_gpus(tmp_path):
    rows = "timestamp,duration,num_gpus,gpu_time,cluster\n"
    rows += "2017-10-09 07:01:55,66.0,2,132.0,11cb48\n2017-10-09 06:01:55,5.0,1,5.0,6214e9\n"
    with gzip.open(tmp_path / "philly.csv.gz", "wt") as file:
        file.write(rows)
    text = "cluster: {nodes: [{gpus: 8}]}\nworkload: {kind: trace, format: philly, file: philly.csv.gz}"
    (tmp_path / "philly.yaml").write_text(text)
    replay = load_scenario(tmp_path / "philly.yaml").workflow
    assert list(replay.arrivals_s) == [0, 3600]
    assert [(task.gpus, task.cores, task.runtime_s) for task in replay.order] == [
        (1, 1, 5),
        (2, 1, 66),
    ]
    assert [task.queue for task in replay.traced] == ["6214e9", "11cb48"]


def test_the_published_trace_of_philly_is_read_whole(shared_data, tmp_path):
    file = shared_data / "philly" / "philly.csv.gz"
    text = (
        "cluster: {nodes: [{count: 10, gpus: 8}]}\n"
        f"workload: {{kind: trace, format: philly, file: {file}, where: [gpus <= 8]}}\n"
    )
    (tmp_path / "philly.yaml").write_text(text)
    replay = load_scenario(tmp_path / "philly.yaml").workflow
    assert len(replay.order) == 81_958
    assert replay.arrivals_s[0] == 0


def test_parquet_needs_pyarrow_and_says_so(scenario, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.delitem(sys.modules, "pyarrow.parquet", raising=False)
    file = scenario()
    file.write_text(file.read_text().replace("format: csv", "format: parquet"))
    assert problem(file) == (
        "trace.csv: Parquet needs pyarrow: pip install 'raysim-core[parquet]', or convert the file to CSV"
    )


def test_parquet_is_read_by_its_columns(scenario, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    arrow = pytest.importorskip("pyarrow")
    came = [datetime(2024, 1, 1, 0, 0, second, tzinfo=UTC) for second in (30, 10)]
    table = {"came": came, "ran_ms": [4000, 1500], "cpu_milli": [2000, None], "gpus": [0, 0.5]}
    rest = {"ram": [512, 256], "who": ["ann", "bob"]}
    parquet.write_table(arrow.table({**table, **rest}), tmp_path / "trace.csv")
    file = scenario(table=None)
    file.write_text(file.read_text().replace("format: csv", "format: parquet"))
    replay = load_scenario(file).workflow
    assert list(replay.arrivals_s) == [0, 20]
    assert [(task.cores, task.gpus, task.runtime_s) for task in replay.order] == [
        (1, 0.5, 1.5),
        (2, 0, 4),
    ]
    (tmp_path / "trace.csv").write_text(TABLE)
    assert "this is not Parquet" in problem(file)


def timeline_of(tmp_path, text):
    (tmp_path / "timeline.json").write_text(text)
    scenario = "workload: {kind: trace, format: timeline, file: timeline.json}\n"
    (tmp_path / "again.yaml").write_text(scenario)
    return load_scenario(tmp_path / "again.yaml").workflow.traced


def test_a_timeline_of_ray_becomes_its_tasks(tmp_path):
    events = [
        {"cat": "task::g", "ph": "X", "ts": 3e6, "dur": 5e5, "args": {"task_id": "b"}},
        {"cat": "task::f", "ph": "X", "ts": 1e6, "dur": 2e5, "args": {"task_id": "a"}},
        {"cat": "task:execute", "ph": "X", "ts": 1e6, "dur": 1e5, "args": {}},
        {"ph": "M", "name": "process_name", "args": {"name": "Node 10.0.0.1"}},
        {"cat": "task::f", "ph": "X", "ts": 2e6, "dur": 4e5, "args": {"task_id": "a"}},
    ]
    for text in (json.dumps(events), json.dumps({"traceEvents": events})):
        tasks = [(one.id, one.submit_s, one.duration_s) for one in timeline_of(tmp_path, text)]
        assert tasks == [("f_a", 0, 0.4), ("g_b", 2, 0.5)]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "this is no timeline as Ray writes it"),
        ('{"a": 1}', "this is no timeline as Ray writes it: 'traceEvents'"),
        ('[{"cat": "task::f", "ph": "X", "ts": "x", "dur": 1}]', "Expected `float`, got `str`"),
        ("[]", "there is no task in this trace"),
    ],
)
def test_what_is_no_timeline_is_told(tmp_path, text, told):
    with pytest.raises(ScenarioError) as caught:
        timeline_of(tmp_path, text)
    assert told in str(caught.value)


def test_what_a_program_s_own_timeline_says_is_run_again(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    raysim.init(backend="sim")
    try:

        @raysim.remote
        def work(seconds):
            time.sleep(seconds)

        raysim.get([work.remote(seconds) for seconds in (1, 2, 3)])
        raysim.timeline("timeline.json")
    finally:
        raysim.shutdown()
    tasks = timeline_of(tmp_path, Path("timeline.json").read_text())
    assert sorted(round(one.duration_s) for one in tasks) == [1, 2, 3]
