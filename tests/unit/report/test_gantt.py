"""The timeline as one picture."""

from xml.etree import ElementTree

from raysim.report import gantt
from raysim.report.plots import alone
from raysim.report.view import view_of

SVG = "{http://www.w3.org/2000/svg}"


def boxes(svg, kind):
    tree = ElementTree.fromstring(alone(svg))
    return [box for box in tree.iter(f"{SVG}rect") if box.attrib["class"] == kind]


def test_each_execution_has_a_bar_and_a_lost_node_is_shaded(run, journal):
    svg = gantt.gantt_svg(run.records, view_of(journal), 6.0)
    assert len(boxes(svg, "c0")) == 3
    assert len(boxes(svg, "lost")) == 1
    assert [box[0].text for box in boxes(svg, "gone")] == ["node-1 is lost"]
    assert svg.count('class="fault"') == 1
    assert ">node-0</text>" in svg


def test_of_many_executions_it_shows_how_busy_each_node_was(run, journal, monkeypatch):
    monkeypatch.setattr(gantt, "MOST_BARS", 2)
    svg = gantt.gantt_svg(run.records, view_of(journal), 6.0)
    (busy,) = boxes(svg, "c0")
    assert "opacity" not in busy.attrib  # One core, busy from the first to the last second.
    assert float(busy.attrib["width"]) > 800
