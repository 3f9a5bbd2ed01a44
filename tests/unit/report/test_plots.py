"""Curves as SVG."""

import re
from xml.etree import ElementTree

import pytest

from raysim.report.figures import distribution, waiting
from raysim.report.plots import Axis, alone, over_time, shares, strip
from raysim.report.text import short, tick
from raysim.scenario.task_records import Records


@pytest.mark.parametrize(
    ("axis", "most", "ticks"),
    [
        (Axis("", 0, 10), 5, [0, 2, 4, 6, 8, 10]),
        (Axis("", 0.3, 1), 4, [0.4, 0.6, 0.8, 1.0]),
        (Axis("", 0, 0), 4, [0]),
        (Axis("", 0.01, 1000, True), 6, [0.01, 0.1, 1, 10, 100, 1000]),
        (Axis("", 1e-6, 1e6, True), 4, [1e-6, 1e-2, 1e2, 1e6]),
        (Axis("", 2, 9, True), 4, []),
    ],
)
def test_ticks_are_round_and_within_the_axis(axis, most, ticks):
    assert axis.ticks(most) == pytest.approx(ticks)


def test_a_logarithmic_axis_has_a_place_for_zero():
    axis = Axis("", 0.01, 100, True)
    assert [axis.share(value) for value in (0, 0.01, 1, 100)] == pytest.approx([0, 0, 0.5, 1])


def test_a_strip_is_stairs_in_shares_of_the_run():
    svg = strip([(0.0, 2.0), (5.0, 0.0)], 10.0, 4.0, "busy")
    assert 'd="M0.0 100.0H0.0V50.0H5000.0V100.0H10000.0"' in svg


@pytest.mark.parametrize(
    "svg",
    [
        over_time("cores", [(0.0, 2.0), (5.0, 0.0)], 10.0, 4.0, "busy"),
        shares("wait", [(0.0, 0.5), (0.001, 0.75), (9.0, 1.0)], tick, "a & b"),
        shares("slowdown", [(1.0, 1.0)], short, "all alike"),
    ],
)
def test_a_picture_alone_is_xml_with_its_colours(svg):
    tree = ElementTree.fromstring(alone(svg))
    assert tree.tag == "{http://www.w3.org/2000/svg}svg"
    assert tree.attrib["aria-label"]
    assert "--accent" in (tree[0].text or "")
    assert not re.search(r"nan|inf", svg)


def test_of_many_values_a_distribution_keeps_the_first_the_last_and_some_between():
    values = [float(value) for value in range(1_000)]
    points = distribution(values, 5)
    assert points == [(0, 0.001), (250, 0.251), (500, 0.501), (749, 0.75), (999, 1.0)]
    assert distribution([2.0, 1.0]) == [(1, 0.5), (2, 1)]


def test_a_task_waits_from_when_it_is_ready_until_it_starts():
    records = Records("abc", "abc")
    records.add(0.0, 1.0, 2.0)
    records.add(0.0, 3.0, 4.0)
    records.add(0.0, error="lost")
    assert waiting(records) == [(0, 2), (1, 1), (3, 0)]
