"""The chain that a run's end waited for."""

from raysim.report.graph import Dot, Edge, drawing, realised_path
from raysim.report.graph_picture import graph_svg
from raysim.scenario.task_records import Records

PARENTS = {"a": (), "b": (), "c": ("a", "b"), "d": ("c",), "e": ("b",)}
ENDS = {"a": 2.0, "b": 3.0, "c": 5.0, "d": 9.0, "e": 4.0}


def records(ends=ENDS):
    found = Records(list(ends), list(ends))
    for task, end_s in ends.items():
        if end_s is None:
            found.add(0.0, error="lost")
        else:
            found.add(0.0, end_s - 1, end_s, stage="first" if task in "ab" else "then")
    return found


def test_the_path_goes_back_from_the_last_end_by_the_parents_that_ended_last():
    assert [record.id for record in realised_path(records(), PARENTS)] == ["b", "c", "d"]


def test_what_never_ended_is_on_no_path():
    ends = {**ENDS, "d": None, "b": None}
    assert [record.id for record in realised_path(records(ends), PARENTS)] == ["a", "c"]
    assert realised_path(records(dict.fromkeys(ENDS)), PARENTS) == []


def test_a_task_stands_as_deep_as_its_longest_chain():
    found = records()
    drawn = drawing(found, PARENTS, realised_path(found, PARENTS))
    assert [(dot.label, dot.depth, dot.critical) for dot in drawn.dots] == [
        ("first: a", 0, False),
        ("first: b", 0, True),
        ("then: c", 1, True),
        ("then: e", 1, False),
        ("then: d", 2, True),
    ]
    assert Edge(1, 2, True) in drawn.edges
    assert Edge(0, 2, False) in drawn.edges
    assert len(drawn.edges) == 4


def test_many_tasks_of_one_stage_and_depth_are_one_dot():
    found = records()
    drawn = drawing(found, PARENTS, realised_path(found, PARENTS), most=4)
    assert drawn.dots == [
        Dot("first × 2", "first × 2", 0, 2, 0, 0, True),
        Dot("then × 2", "then × 2", 1, 2, 1, 0, True),
        Dot("then × 1", "then × 1", 1, 1, 2, 0, True),
    ]
    assert drawn.edges == [Edge(0, 1, True), Edge(1, 2, True)]


def test_the_picture_has_a_dot_for_each_task_and_marks_the_path():
    found = records()
    drawn = drawing(found, PARENTS, realised_path(found, PARENTS))
    svg = graph_svg(drawn, {0: 0, 1: 1}, "a <graph>")
    assert svg.count("<circle") == 5
    assert svg.count('class="edge critical"') == 2
    assert 'aria-label="a &lt;graph&gt;"' in svg
