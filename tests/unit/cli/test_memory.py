"""How references are counted by what they have in common."""

from raysim.cli.memory import GROUPS, _cell, grouped


def reference(object_id: str, size: int, pid: int, **more: str) -> dict[str, object]:
    same = {"node_id": "here", "type": "WORKER", "call_site": "disabled"}
    return {**same, "object_id": object_id, "object_size": size, "pid": pid, **more}


ROWS = [
    reference("small", 10, 1),
    reference("large", 500, 2),
    reference("large", 500, 3),
    reference("unknown", -1, 3),
]


def test_each_process_counts_what_it_refers_to() -> None:
    found = [(one["pid"], one["references"], one["size"]) for one in grouped(ROWS, GROUPS["owner"])]
    assert found == [(3, 2, 500), (2, 1, 500), (1, 1, 10)]


def test_an_object_counts_once_in_a_group_whoever_knows_its_size() -> None:
    unsized = reference("large", -1, 4)
    (group,) = grouped([unsized, *ROWS], GROUPS["node"])
    assert group == {"node_id": "here", "references": 5, "size": 510}


def test_of_a_long_call_site_the_end_is_shown_where_the_line_is() -> None:
    site = f"(put object) | /{'long/' * 20}program.py:main:17"
    shown = _cell("call_site", site)
    assert len(shown) == 60
    assert shown.startswith("(put object) | ...")
    assert shown.endswith("program.py:main:17")
    assert _cell("call_site", "disabled") == "disabled"
