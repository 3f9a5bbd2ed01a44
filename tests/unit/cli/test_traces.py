"""Two traces of journals, compared."""

from raysim.cli.traces import count_records, first_difference
from raysim.journal import Journal, Level, NodeJoined

COMMON = [(10, "head", "note", NodeJoined(b"\x01", "node-0", 2.0)), (20, "head", "timer", "tick")]


def trace(file, records):
    with file.open("wb") as stream:
        journal = Journal(Level.ALL, sink=stream)
        for record in records:
            journal.write(*record)
    return file


def test_equal_traces_do_not_differ(tmp_path):
    first, second = (trace(tmp_path / name, COMMON) for name in "ab")
    assert first_difference(first, second) is None
    assert count_records(first) == 2


def test_the_first_record_that_differs_is_shown_from_both_sides(tmp_path):
    first = trace(tmp_path / "a", [*COMMON, (30, "head", "send", "red"), (40, "head", "x", "y")])
    second = trace(tmp_path / "b", [*COMMON, (30, "head", "send", "blue"), (41, "head", "x", "y")])
    difference = first_difference(first, second)
    assert difference is not None
    assert difference.number == 3
    assert str(difference).splitlines() == [
        "Record 3 is the first that differs.",
        "  before it, in both 0.000000020 s, head, timer: tick",
        "  in the first run   0.000000030 s, head, send: red",
        "  in the second run  0.000000030 s, head, send: blue",
    ]


def test_a_trace_that_ends_early_differs_there(tmp_path):
    first = trace(tmp_path / "a", COMMON)
    second = trace(tmp_path / "b", COMMON[:1])
    shown = str(first_difference(first, second))
    assert "Record 2 is the first that differs." in shown
    assert "in the second run  has ended" in shown
    assert "'node_id': '01'" in shown
