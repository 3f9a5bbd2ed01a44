"""Every default says what it is, in which unit, and where it comes from."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

UNIT_IN_NAME = re.compile(r"_(?:ns|us|ms|s|bytes|kib|mib|fraction|percent|per_\w+)$")
UNIT_IN_TEXT = re.compile(
    r"\b(?:nanoseconds?|microseconds?|milliseconds?|seconds?|minutes?|bytes?|[KMG]iB|[KMG]B|percent"
    r"|fraction|part|share|utilisation|times|how many|number of"
    r"|checks?|hops?|leases?|nodes?|raylets?|requests?|retries|tasks?|workers?)\b|%",
    re.IGNORECASE,
)
SOURCE = re.compile(r"\b(?:Ray|Ours|Measured|Source|Linux|RFC ?\d+|Paper)\b")


def undocumented(source: str) -> Iterator[str]:
    """One complaint for each default of `source` that leaves something open."""
    tree = ast.parse(source)
    bodies = [tree.body] + [node.body for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    for body in bodies:
        for position, statement in enumerate(body):
            if isinstance(statement, ast.AnnAssign) and statement.value is not None:
                following = body[position + 1] if position + 1 < len(body) else None
                yield from complaints(statement, following)


def complaints(default: ast.AnnAssign, following: ast.stmt | None) -> Iterator[str]:
    name = ast.unparse(default.target)
    number = ast.unparse(default.annotation) in ("int", "float", "int | None", "float | None")
    match following:
        case ast.Expr(value=ast.Constant(value=str() as text)):
            if number and not UNIT_IN_NAME.search(name) and not UNIT_IN_TEXT.search(text):
                yield f"{name}: neither the name nor the docstring gives a unit"
            if not SOURCE.search(text):
                yield f"{name}: the docstring names no source (Ray: ..., Ours: ..., Measured: ...)"
        case _:
            yield f"{name}: no docstring below it"


def test_every_default_has_a_unit_and_a_source(repository: Path) -> None:
    source = (repository / "raysim/config.py").read_text("utf-8")
    assert "AnnAssign" in ast.dump(ast.parse(source)), "raysim/config.py holds no default"
    found = list(undocumented(source))
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("default", "count"),
    [
        ('class C:\n    period_ms: int = 3\n    """Between checks. Ray: `period_ms`."""', 0),
        ('class C:\n    retries: int = 3\n    """How many times. Ray: `max_retries`."""', 0),
        ("class C:\n    period_ms: int = 3", 1),
        ('class C:\n    period_ms: int = 3\n    """Between checks."""', 1),
        ('class C:\n    width: int = 3\n    """Of a lane. Ours."""', 1),
        ('class C:\n    policy: str = "hybrid"\n    """Its name. Ours."""', 0),
    ],
)
def test_what_a_default_leaves_open_is_found(default: str, count: int) -> None:
    assert len(list(undocumented(default))) == count
