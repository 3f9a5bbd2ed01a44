"""What the page's timeline draws, unpacked as the page unpacks it."""

import zlib
from array import array
from base64 import b64decode

import msgspec
import pytest

from raysim.report.timeline import TICKS, chart_data, height, uncounted
from raysim.report.view import Node, view_of
from tests.unit.report.conftest import ended, journal_of


@pytest.fixture
def data(run, journal):
    return chart_data(run.records, view_of(journal), 6.0)


def unpacked(data):
    packed = zlib.decompress(b64decode(data["packed"]))
    columns, at = {}, 0
    for name, code in zip(("start", "length", "cores", "node", "name"), "IIfHH", strict=True):
        column = array(code)
        size = column.itemsize * data["count"]
        column.frombytes(packed[at : at + size])
        columns[name] = list(column)
        at += size
    assert at == len(packed)
    return columns


def test_each_execution_that_counted_has_a_bar_and_so_have_the_others(data):
    columns = unpacked(data)
    seconds = [
        tuple(round(ticks / TICKS * data["end"], 6) for ticks in bar)
        for bar in zip(columns["start"], columns["length"], strict=True)
    ]
    assert seconds == [(0, 2), (2, 2), (4, 2), (0, 1.5)]
    assert columns["node"] == [0, 0, 0, 1]
    assert columns["cores"] == [1, 1, 1, 1]
    assert [data["names"][name] for name in columns["name"]] == ["task"] * 4
    assert data["odd"] == {3: ["retried", "it went"]}


def test_nodes_and_what_struck_them_are_told(data):
    assert data["nodes"] == [
        {"name": "node-0", "cpus": 1.0, "lost": None},
        {"name": "node-1", "cpus": 1.0, "lost": 1.0},
    ]
    assert [mark[:2] for mark in data["marks"]] == [[1.0, "fault"], [1.5, "node lost"]]


def test_an_execution_of_a_task_that_had_finished_did_not_count():
    view = view_of(
        journal_of(
            (2, ended(1, "finished", 0, 2)),
            (5, ended(1, "finished", 3, 5, attempt=1)),
            (6, ended(2, "failed", 4, 6)),
        )
    )
    assert [(one.task, one.start_s) for one in uncounted(view)] == [
        ("01010101", 3),
        ("02020202", 4),
    ]


def test_a_run_in_which_nothing_ran_has_an_empty_timeline(run):
    data = chart_data(type(run.records)([], []), view_of(journal_of()), 0.0)
    assert (data["count"], unpacked(data)["start"], data["nodes"]) == (0, [], [])


def test_the_page_keeps_a_place_for_the_cores_that_there_are(journal):
    view = view_of(journal)
    large = msgspec.structs.replace(view, nodes=[Node(str(at), 64.0) for at in range(1_000)])
    assert height(view) < 150 < 2_000 == height(large)
