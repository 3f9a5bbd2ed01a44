"""The schema, with fastjsonschema as its judge: what the reader takes it takes, and typing mistakes it sees."""

from functools import cache
from pathlib import Path

import fastjsonschema
import pytest
import yaml

from raysim.faults.kinds import BY_NAME
from raysim.policies import names
from raysim.scenario.loading import parse_scenario
from raysim.scenario.model import Scenario
from raysim.scenario.problems import ScenarioError
from raysim.scenario.schema import schema

WORK = "workload: {kind: tasks, count: 5, duration: 1s}\n"

RIGHT = [
    "cluster: {nodes: 4, cpus: 2.5}",
    "cluster: {nodes: [{count: 2, cpus: 4, gpus: 1, resources: {disk: 2}, object_store: 2GiB}]}",
    "cluster: {network: free}",
    "cluster: {network: {latency: 1ms, bandwidth: 10Gbit/s, resets: true}}",
    "cluster: {network: {latency: 0}}",
    "policy: power_of_d(d=3)",
    "policy: raysim.policies.fit:BestFit",
    "cluster: {nodes: 3}\nfaults: ['kill_node(at=33%)', {kill_worker: {at: 5s}}]",
    "assert: [failed == 0, p95(task_wait) < 500ms]",
    "seed: 12",
]

WORKLOADS = [
    "{kind: tasks, count: 5, duration: 1m30s, cpus: 0.5, result_size: 64KiB}",
    "{kind: tasks, count: 5, duration: 1.5h, cpus: '2', result_size: 100}",
    "{kind: tasks, count: 5, duration: exponential(mean=2s), cpus: empirical(values=1+4)}",
    "{kind: tasks, count: 5, duration: 2s, arrivals: 'bursty(rate=10/s, burst=5)'}",
]

OPEN = [
    "include: base.yaml",
    "include: [base.yaml, more.yaml]\nworkload: {count: 5}",
    "sweep: {policy: [hybrid, spread], workload.count: [5]}\nworkload: {kind: tasks, duration: 1s}",
]
"""The rest stands elsewhere."""

WRONG = [
    "polcy: spread",
    "cluster: {node: 4}",
    "cluster: {nodes: 0}",
    "cluster: {nodes: [{cpu: 4}]}",
    "cluster: {network: {latency: 3}}",
    "cluster: {network: fre}",
    "policy: hybird",
    "faults: [kil_node(at=5s)]",
    "faults: [{kil_node: {at: 5s}}]",
    "seed: x",
    "include: {base: x}",
    "sweep: {policy: hybrid}",
    "sweep: {policy: []}",
    "swep: {policy: [hybrid]}",
]

WRONG_WORKLOADS = [
    "{kind: tsks, count: 5, duration: 1s}",
    "{kind: tasks, count: 0, duration: 1s}",
    "{kind: tasks, count: 5, duration: 1}",
    "{kind: tasks, count: 5, duration: exponental(mean=2s)}",
    "{kind: tasks, count: 5, duration: 1s, arrivals: poison(rate=1/s)}",
    "{kind: tasks, count: 5}",
    "{kind: workflow, count: 5}",
]


@cache
def judge():
    # fastjsonschema knows drafts up to 7; what the schema uses of 2020-12 is the same there.
    return fastjsonschema.compile({**schema(), "$schema": "http://json-schema.org/draft-07/schema"})


def texts(parts, workloads):
    return [f"{part}\n{WORK}" for part in parts] + [f"workload: {one}\n" for one in workloads]


@pytest.mark.parametrize("text", texts(RIGHT, WORKLOADS))
def test_what_the_reader_takes_the_schema_takes(text):
    parse_scenario(text, Path("some.yaml"))
    judge()(yaml.safe_load(text))


@pytest.mark.parametrize("text", OPEN)
def test_what_stands_elsewhere_is_not_missed(text):
    judge()(yaml.safe_load(text))


@pytest.mark.parametrize("text", texts(WRONG, WRONG_WORKLOADS))
def test_mistakes_are_seen_by_both(text):
    with pytest.raises(ScenarioError):
        parse_scenario(text, Path("some.yaml"))
    with pytest.raises(fastjsonschema.JsonSchemaException):
        judge()(yaml.safe_load(text))


def test_files_that_are_shipped_fit(repository):
    files = [
        *(repository / "scenarios").rglob("*.yaml"),
        *(repository / "examples").rglob("*.yaml"),
    ]
    assert len(files) >= 5
    for file in files:
        judge()(yaml.safe_load(file.read_text("utf-8")))


def test_an_editor_can_tell_what_everything_means():
    made = schema()
    assert set(made["properties"]) == {
        field.alias or name for name, field in Scenario.model_fields.items()
    }
    undescribed = [
        f"{title}.{name}"
        for title, part in [("Scenario", made), *made["$defs"].items()]
        for name, field in part["properties"].items()
        if "description" not in field and name != "kind"
    ]
    assert undescribed == []
    assert made["properties"]["policy"]["anyOf"][0]["enum"] == names()
    assert all(name in str(made["properties"]["faults"]) for name in BY_NAME)
