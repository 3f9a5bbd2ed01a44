import pytest

from bench import table
from bench.lines import BY_NAME, LINES, Bar, Line, Unit

RATE = Line("calls", "g", bars=(Bar(4, "ray"), Bar(2, "pool")))
START = Line("start", "g", Unit.SECONDS, (Bar(0.15),))


def rounds(*values):
    return dict(enumerate(values, 1))


def verdicts(line, values):
    return [(v.reached, v.met) for v in table.row(line, values).verdicts]


def test_a_ratio_is_the_median_of_those_of_neighbours_in_time():
    """The machine became ten times slower in the second round: that is no news of either contender."""
    values = {
        "cluster": {"calls": rounds(100.0, 10.0, 90.0)},
        "ray": {"calls": rounds(20.0, 2.0, 30.0)},
    }
    row = table.row(RATE, values)
    assert row.ratios == {"ray": rounds(5.0, 5.0, 3.0)}
    assert row.verdicts[0] == table.Verdict(Bar(4, "ray"), 5.0, True)


def test_seconds_are_better_the_fewer_they_are():
    values = {"cluster": {"start": rounds(0.1)}, "ray": {"start": rounds(3.0)}}
    row = table.row(START, values)
    assert row.ratios["ray"] == {1: pytest.approx(30)}
    assert row.verdicts == (table.Verdict(Bar(0.15), 0.1, True),)
    assert verdicts(START, {"cluster": {"start": rounds(0.2)}}) == [(0.2, False)]


def test_a_bar_is_met_when_it_is_just_reached():
    values = {
        "cluster": {"calls": rounds(8.0)},
        "ray": {"calls": rounds(2.0)},
        "pool": {"calls": rounds(4.1)},
    }
    assert verdicts(RATE, values) == [(4.0, True), (pytest.approx(8 / 4.1), False)]


def test_a_bar_against_a_rival_that_is_missing_is_neither_met_nor_missed():
    assert verdicts(RATE, {"cluster": {"calls": rounds(8.0)}}) == [(None, None), (None, None)]
    assert verdicts(RATE, {"ray": {"calls": rounds(8.0)}}) == [(None, None), (None, None)]


def test_a_rival_is_compared_in_the_rounds_that_it_has():
    """Its first turn failed: its second one is no neighbour of our first."""
    values = {"cluster": {"calls": rounds(10.0, 30.0)}, "ray": {"calls": {2: 5.0}}}
    assert table.row(RATE, values).ratios == {"ray": {2: 6.0}}


def test_a_rival_that_used_nothing_at_all_has_no_ratio():
    assert table.compared(Unit.CORE, rounds(0.0), rounds(3.0)) == {}
    assert table.compared(Unit.RATE, rounds(3.0), rounds(0.0)) == {}


def test_lines_that_nobody_was_measured_on_are_left_out():
    assert table.rows([RATE, START], {"ray": {"start": rounds(1.0)}}) == [
        table.row(START, {"ray": {"start": rounds(1.0)}})
    ]


def test_the_table_says_for_each_bar_what_was_reached():
    values = {
        "cluster": {"calls": rounds(1000.0, 3000.0, 2000.0), "start": rounds(0.2, 0.2, 0.2)},
        "ray": {"calls": rounds(100.0, 300.0, 200.0)},
    }
    text = table.markdown(table.rows([RATE, START], values), ["cluster", "ray"])
    assert text.splitlines()[:4] == [
        "| line | cluster | against ray | bar | reached | met |",
        "| --- | --- | --- | --- | --- | --- |",
        "| calls | 2,000 /s (±50%) | 10x | 4x ray, 2x pool | 10x, - | yes, not measured |",
        "| start | 0.2 s (±0%) | - | ≤ 0.15 s | 0.2 s | **no** |",
    ]


def test_the_values_of_all_contenders_stand_below():
    values = {"cluster": {"calls": rounds(2.0)}, "ray": {"calls": rounds(1234.0)}}
    text = table.markdown(table.rows([RATE], values), ["cluster", "ray"])
    assert text.splitlines()[-1] == "| calls | 2 /s | 1,234 /s |"


def test_the_bars_are_told_in_short():
    values = {
        "cluster": {"calls": rounds(8.0), "start": rounds(0.2)},
        "ray": {"calls": rounds(2.0)},
    }
    text = table.told_in_short(table.rows([RATE, START], values))
    assert text == "Of 3 bars 1 are met, 1 were not measured. Not met: start (0.2 s of ≤ 0.15 s)."
    assert table.told_in_short(table.rows([RATE], values)) == (
        "Of 2 bars 1 are met, 1 were not measured."
    )
    assert table.told_in_short([]) == ""


def test_what_sizes_cost_is_a_table_of_its_own():
    sized = Line("tasks: 10", "tasks", size=10)
    text = table.markdown(
        table.rows([sized], {"cluster": {"tasks: 10": rounds(5.0)}}), ["cluster", "ray"]
    )
    assert text.splitlines() == [
        "| median (± half of the range) | cluster |",
        "| --- | --- |",
        "| tasks: 10 | 5 /s |",
    ]


def test_what_the_processors_did_is_compared_as_well():
    """Less is better; who used nothing that can be seen has no ratio."""
    lines = [table.of_cpu(line) for line in (RATE, START)]
    cpu = {
        "cluster": {"calls": rounds(2.0)},
        "ray": {"calls": rounds(30.0)},
        "memcpy": {"start": rounds(1.0)},
    }
    text = table.markdown_of_cpu(table.rows(lines[:1], cpu), ["cluster", "ray", "memcpy"])
    assert text.splitlines() == [
        "| CPU of all processes for each | cluster | ray | against ray |",
        "| --- | --- | --- | --- |",
        "| calls | 2 us | 30 us | 15x |",
    ]
    assert table.markdown_of_cpu([], ["cluster"]) == ""


def test_json_has_every_round():
    values = {"cluster": {"calls": rounds(8.0, 6.0)}, "ray": {"calls": rounds(2.0, 2.0)}}
    (found,) = table.as_json(table.rows([RATE], values))
    assert found["values"]["cluster"] == {"median": 7.0, "rounds": rounds(8.0, 6.0)}
    assert found["ratios"] == {"ray": {"median": 3.5, "rounds": rounds(4.0, 3.0)}}
    assert found["bars"][0] == {"rival": "ray", "value": 4, "reached": 3.5, "met": False}


def test_no_two_lines_have_one_name():
    assert len(BY_NAME) >= len(LINES) + 1
    assert len({line.name for line in LINES}) == len(LINES)
