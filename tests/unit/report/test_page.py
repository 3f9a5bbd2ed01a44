"""The page that a run leaves: complete, offline, and safe with whatever names a run has."""

import json
import re
from html.parser import HTMLParser

import msgspec
import pytest

from raysim.report import tables
from raysim.report.folder import write_report
from raysim.report.page import page
from raysim.report.view import view_of
from raysim.scenario.folder import kept


class Balance(HTMLParser):
    """Every element that is opened is closed, in order."""

    VOID = frozenset({"meta"})

    def __init__(self):
        super().__init__()
        self.open = []
        self.texts = []
        self.attributes = []

    def handle_starttag(self, tag, attrs):
        self.attributes += [(tag, name) for name, _ in attrs]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        """As of SVG: it closes itself."""

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


@pytest.fixture
def html(run, journal):
    return page(kept(run), view_of(journal))


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


def test_a_name_cannot_end_the_script_that_it_stands_in(run, journal):
    for index, (at, who, kind, what) in enumerate(journal.records):
        if hasattr(what, "submitted_ns"):
            changed = msgspec.structs.replace(what, name="</script><b>")
            journal.records[index] = (at, who, kind, changed)
    html = page(kept(run), view_of(journal))
    assert "</script><b>" not in html
    text = re.search(r'<script id="data"[^>]*>(.*?)</script>', html, re.DOTALL)
    assert text is not None
    assert "</script><b>" in json.loads(text[1])["names"]


def test_retries_that_the_journal_does_not_keep_are_told(run, journal):
    journal.attempts += 7
    assert "only those among the first 4 are drawn" in page(kept(run), view_of(journal))


def test_long_tables_end_and_say_so(run, journal, monkeypatch):
    monkeypatch.setattr(tables, "MOST_MARKS", 1)
    assert "1 more are in the journal." in page(kept(run), view_of(journal))


def test_every_picture_says_what_it_shows(html):
    labels = re.findall(r'<svg[^>]*aria-label="([^"]*)"', html)
    assert len(labels) == len(re.findall("<svg", html)) == 5
    assert "cores in use over time: at most 1 of 2" in labels
    assert any(label.startswith("Share of tasks by wait: half have at most ") for label in labels)


def test_a_run_s_folder_holds_the_page_and_all_it_is_made_of(run, tmp_path):
    report = write_report(run, tmp_path / "out")
    assert report == tmp_path / "out" / "report.html"
    assert {file.name for file in report.parent.iterdir()} == {
        *("summary.json", "tasks.csv", "workload.json", "journal.jsonl"),
        *("timeline.json", "report.html"),
    }
