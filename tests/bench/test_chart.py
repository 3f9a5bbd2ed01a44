from bench.chart import MET, MISSED, NO_BAR, Beam, Curve, beams, curves


def line(name, ratios=(), bars=(), **more):
    return {
        "line": name,
        "ratios": {rival: {"median": ratio} for rival, ratio in ratios},
        "bars": [{"rival": rival, "value": value} for rival, value in bars],
        "size": None,
        **more,
    }


def test_a_beam_for_each_line_that_the_rival_was_measured_on():
    results = {
        "lines": [
            line("a", [("ray", 5.0), ("pool", 2.0)], [("pool", 1), ("ray", 6)]),
            line("b", [("pool", 3.0)], [("ray", 1)]),
            line("c", [("ray", 7.0)], [(None, 80)]),
        ]
    }
    assert beams(results, "ray") == [Beam("a", 5.0, 6), Beam("c", 7.0, None)]


def test_its_colour_says_whether_the_bar_was_met():
    colours = [Beam("a", ratio, bar).colour for ratio, bar in ((5, 5), (5, 6), (5, None))]
    assert colours == [MET, MISSED, NO_BAR]


def test_a_curve_for_each_series_of_sizes_in_their_order():
    def sized(size, median):
        values = {"cluster": {"median": median}}
        return line(f"tasks: {size}", size=size, group="tasks", unit="/s", values=values)

    results = {"lines": [sized(100, 7.0), sized(10, 5.0), line("a")]}
    assert curves(results) == [Curve("tasks", "/s", ((10, 5.0), (100, 7.0)))]
