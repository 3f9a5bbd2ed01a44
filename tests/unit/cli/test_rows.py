"""How rows look as a table, and that nothing is lost in the other formats."""

import json

import pytest
import yaml

from raysim.cli.rows import WIDEST, as_table, shown

ROWS = [
    {"name": "f", "count": 7, "used": 0.5, "alive": True, "needs": {"CPU": 1}, "gone": None},
    {"name": "longer", "count": 12, "used": None, "alive": False, "needs": {}, "gone": None},
]


def test_a_table_has_numbers_to_the_right_and_nothing_for_none() -> None:
    assert as_table(ROWS, list(ROWS[0])).splitlines() == [
        "NAME    COUNT  USED  ALIVE  NEEDS       GONE",
        'f           7   0.5  true   {"CPU": 1}',
        "longer     12        false  {}",
    ]


def test_a_table_without_rows_has_its_columns() -> None:
    assert as_table([], ["name", "state"]) == "NAME  STATE"


def test_a_table_keeps_whole_ids_and_one_line_for_each_row() -> None:
    whole = "ab" * 28
    table = as_table([{"id": whole, "message": "one\ntwo  " + "x" * 100}], ["id", "message"])
    _, row = table.splitlines()
    assert row.startswith(f"{whole}  one two xxx")
    assert row.endswith("x…")
    assert len(row) == len(whole) + 2 + WIDEST


@pytest.mark.parametrize(("output", "read"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_documents_have_the_columns_that_were_asked_for_as_they_are(output, read) -> None:
    assert read(shown(ROWS, ["count", "needs", "gone"], output)) == [
        {"count": 7, "needs": {"CPU": 1}, "gone": None},
        {"count": 12, "needs": {}, "gone": None},
    ]
