"""Every rule of docs/semantics.md names tests that hold it, and that exist."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

NAMED = re.compile(r"`(test_\w+\.py)::(test_\w+)`")


def rules(text: str) -> Iterator[str]:
    """The items of all lists, each in one line."""
    for item in re.split(r"^- ", text, flags=re.MULTILINE)[1:]:
        yield " ".join(re.split(r"\n\s*\n|^#", item, maxsplit=1, flags=re.MULTILINE)[0].split())


def problems(text: str, folder: Path) -> Iterator[str]:
    for rule in rules(text):
        named = NAMED.findall(rule)
        if not named:
            yield f"no test holds: {rule[:80]}"
        for file, test in named:
            if test not in names_in(folder / file):
                yield f"there is no {file}::{test}, which is to hold: {rule[:80]}"


def names_in(file: Path) -> set[str]:
    if not file.is_file():
        return set()
    tree = ast.parse(file.read_text("utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_rule_is_held_by_tests_that_exist(repository: Path) -> None:
    text = (repository / "docs/semantics.md").read_text("utf-8")
    assert len(list(rules(text))) >= 100
    found = list(problems(text, repository / "tests/api"))
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("- A rule. `test_one.py::test_this`\n- Another. `test_one.py::test_this`", 0),
        ("- A rule that\n  goes on. `test_one.py::test_this`\n\nNo rule.", 0),
        ("- A rule without.\n- Another. `test_one.py::test_this`", 1),
        ("- A rule. `test_one.py::test_that`", 1),
        ("- A rule. `test_two.py::test_this`", 1),
        ("- A rule without.\n\n## `test_one.py::test_this`", 1),
    ],
)
def test_what_a_rule_leaves_open_is_found(tmp_path: Path, text: str, count: int) -> None:
    (tmp_path / "test_one.py").write_text("def test_this(): ...")
    assert len(list(problems(text, tmp_path))) == count
