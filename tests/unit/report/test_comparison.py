import csv
import json
from html.parser import HTMLParser

import msgspec
import pytest

from raysim.report.comparison import as_csv, as_json, latex, markdown
from raysim.report.comparison_page import page, write
from raysim.scenario.comparison import Cell, Comparison, Outcome
from tests.unit.scenario.test_comparison import made

BETTER = made(
    [[10, 20, 30, 40, 50], [9, 18, 27, 36.5, 44], [10.1, 19.9, 30, 40.1, 49.9]],
    ("hybrid", "best_fit", "mine.py:Own_<b>"),
)


def test_markdown_says_what_is_shown_and_what_is_not():
    text = markdown(BETTER)
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert rows[0] == "| policy | mean | 95 % interval | from the baseline | 95 % interval |  |"
    assert rows[1].endswith("| the baseline |")
    assert "| -10.3% |" in rows[2]
    assert rows[2].endswith("| less |")
    assert rows[3].endswith("| no difference shown |")
    assert "5 seeds a policy (from 0)" in text
    assert "**hybrid**" in text


def test_csv_and_json_hold_every_figure():
    rows = list(csv.DictReader(as_csv(BETTER).splitlines()))
    assert [row["policy"] for row in rows] == ["hybrid", "best_fit", "mine.py:Own_<b>"]
    assert [row["shown"] for row in rows] == ["", "true", "false"]
    assert float(rows[1]["relative"]) == pytest.approx(-0.1033, abs=1e-4)
    whole = json.loads(as_json(BETTER))
    assert len(whole["outcomes"]) == 15
    assert [line["shown"] for line in whole["lines"]] == [False, True, False]
    assert whole["plan"]["policies"] == ["hybrid", "best_fit", "mine.py:Own_<b>"]


def test_latex_escapes_what_it_would_stumble_over():
    text = latex(BETTER)
    assert r"best\_fit" in text
    assert r"-10.3\%" in text
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 1


def test_the_page_has_a_row_and_a_picture_for_each_policy_and_needs_nothing_else():
    found = page(BETTER)

    class Reader(HTMLParser):
        tags: list[str] = []  # noqa: RUF012 - one reader, one list.

        def handle_starttag(self, tag, attrs):
            self.tags.append(tag)

    reader = Reader()
    reader.feed(found)
    assert reader.tags.count("tr") == 4
    assert reader.tags.count("circle") == 2  # The baseline differs from nobody.
    assert reader.tags.count("svg") == 3
    assert "Own_&lt;b&gt;" in found
    assert "src=" not in found
    assert "<!--" not in found
    assert "http" not in found


def test_no_value_and_too_few_runs_are_said():
    text = markdown(made([[None, None], [None, None]]))
    assert text.count("| none |") == 2
    alone = markdown(made([[1.0], [2.0]]))
    assert "too few runs" in alone
    assert "inf" not in alone + page(made([[1.0], [2.0]]))


def test_a_folder_has_all_forms(tmp_path):
    written = write(BETTER, tmp_path / "deep" / "down")
    assert sorted(path.suffix for path in written) == [".csv", ".html", ".json", ".md", ".tex"]
    assert all(path.read_text("utf-8") for path in written)


def test_many_tables_begin_with_one_of_all():
    scenarios = ("some.yaml", "other.yaml")
    plan = msgspec.structs.replace(BETTER.plan, scenarios=scenarios)
    again = (
        Outcome(Cell("other.yaml", *msgspec.structs.astuple(one.cell)[1:]), (25_640.0,))
        for one in BETTER.outcomes
    )
    both = Comparison(plan, (*BETTER.outcomes, *again))
    assert [line for line in markdown(both).splitlines() if line.startswith("| ")][:3] == [
        "| scenario | measure | mean of hybrid | best_fit | mine.py:Own_<b> |",
        "| some | makespan_s | 30 | -10.3% | ~ |",
        "| other | makespan_s | 25,640 | ~ | ~ |",
    ]
    found = page(both)
    assert found.count("<table") == 3
    assert "mine.py:Own_&lt;b&gt;</th>" in found
    assert "All at a glance" not in markdown(BETTER) + page(BETTER)


def test_a_small_difference_that_is_shown_is_not_called_zero():
    text = markdown(
        made([[1e5, 2e5, 3e5, 4e5, 5e5], [1e5 + 3, 2e5 + 6, 3e5 + 9, 4e5 + 12, 5e5 + 15]])
    )
    assert "| +0.003% |" in text
