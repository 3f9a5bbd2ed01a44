"""The page that a run leaves: complete, offline, and safe with whatever names a run has."""

import json
import re
from html.parser import HTMLParser

import msgspec
import pytest

from raysim.report import page as page_module
from raysim.report.folder import write_report
from raysim.report.page import chart_data, page
from raysim.report.view import view_of


class Balance(HTMLParser):
    """Every element that is opened is closed, in order."""

    VOID = frozenset({"meta", "br"})

    def __init__(self):
        super().__init__()
        self.open = []
        self.texts = []
        self.attributes = []

    def handle_starttag(self, tag, attrs):
        self.attributes += [(tag, name) for name, _ in attrs]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


@pytest.fixture
def html(run, journal):
    return page(run, view_of(journal))


def parsed(html):
    reader = Balance()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    return reader


def test_the_page_is_well_formed_and_says_the_figures(html):
    text = " ".join(parsed(html).texts)
    for said in ("<bag> & co", "2 nodes", "seed 5", "6 s", "5 MB", "kill_node: node-1", "ab12"):
        assert said in text
    assert "✓ holds" in text
    assert "✗ does not hold" in text


def test_the_page_loads_nothing(html):
    assert not {("script", "src"), ("img", "src"), ("link", "href")} & set(parsed(html).attributes)
    assert not re.findall(r"https?://|@import|url\(", html)


def test_no_mark_of_the_template_is_left(html):
    assert "<!--" not in html.replace("<!--\\", "")


def test_the_chart_has_a_bar_for_each_attempt_and_the_fault(run, journal):
    data = chart_data(run, view_of(journal))
    assert [node["name"] for node in data["nodes"]] == ["node-0", "node-1"]
    assert [node["rows"] for node in data["nodes"]] == [1, 1]
    assert data["nodes"][1]["lost"] == 1
    assert data["bars"] == [
        [0, 0, 0, 0.0, 2.0],
        [0, 0, 0, 2.0, 4.0],
        [0, 0, 0, 4.0, 6.0],
        [1, 0, 0, 0.0, 1.5, "retried", "it went"],
    ]
    assert [mark[:2] for mark in data["marks"]] == [[1.0, "fault"], [1.5, "node lost"]]
    assert data["busy"] == [[0.0, 1.0], [2.0, 1.0], [4.0, 1.0], [6.0, 0.0]]


def test_a_name_cannot_end_the_script_that_it_stands_in(run, journal):
    for index, (at, who, kind, what) in enumerate(journal.records):
        if hasattr(what, "submitted_ns"):
            changed = msgspec.structs.replace(what, name="</script><b>")
            journal.records[index] = (at, who, kind, changed)
    html = page(run, view_of(journal))
    assert "</script><b>" not in html
    text = re.search(r'<script id="data"[^>]*>(.*?)</script>', html, re.DOTALL)
    assert text is not None
    assert "</script><b>" in json.loads(text[1])["names"]


def test_more_bars_than_a_page_holds_leave_the_longest_and_say_so(run, journal, monkeypatch):
    monkeypatch.setattr(page_module, "MOST_BARS", 3)
    view = view_of(journal)
    bars = chart_data(run, view)["bars"]
    assert [bar[4] - bar[3] for bar in bars] == [2, 2, 2]
    assert "The 1 shortest executions are not drawn." in page(run, view)


def test_executions_that_the_journal_does_not_keep_are_told(run, journal):
    journal.attempts += 7
    assert "The 7 later executions are not drawn" in page(run, view_of(journal))


def test_a_run_s_folder_holds_the_page_and_all_it_is_made_of(run, tmp_path):
    report = write_report(run, tmp_path / "out")
    assert report == tmp_path / "out" / "report.html"
    assert {file.name for file in report.parent.iterdir()} == {
        *("summary.json", "tasks.csv", "journal.jsonl", "timeline.json", "report.html")
    }
