"""The commands `raysim check` and `raysim schema`. Never runs what it looks at."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from raysim.cli.run import BAD_INPUT

if TYPE_CHECKING:
    from raysim.scenario.problems import Problem


def check_files(files: Sequence[str], output_format: str) -> int:
    """0 where all is right; 2 with every problem of every file, in their order."""
    from raysim.scenario.loading import case_names
    from raysim.scenario.problems import ScenarioError

    problems: list[Problem] = []
    for file in files:
        try:
            case_names(Path(file))
        except ScenarioError as error:
            problems += error.problems
    if output_format == "json":
        click.echo(json.dumps([_plain(problem) for problem in problems], indent=1))
    for problem in problems:
        if output_format == "concise":
            click.echo(str(problem))
        elif output_format == "github":
            click.echo(_annotation(problem))
    if not problems and output_format == "concise":
        click.echo(f"{len(files)} checked, no mistakes found.")
    return BAD_INPUT if problems else 0


def print_schema() -> int:
    from raysim.scenario.schema import schema

    click.echo(json.dumps(schema(), indent=1))
    return 0


def _plain(problem: Problem) -> dict[str, str | int | None]:
    line, column = problem.place or (None, None)
    return {
        "file": problem.file,
        "line": line,
        "column": column,
        "message": problem.what,
        "meant": problem.meant,
    }


def _annotation(problem: Problem) -> str:
    """A workflow command of GitHub Actions, escaped as its documentation says."""
    fields = {"file": problem.file}
    if problem.place is not None:
        fields |= {"line": str(problem.place.line), "col": str(problem.place.column)}
    meant = f"; did you mean {problem.meant}?" if problem.meant else ""
    where = ",".join(f"{name}={_escaped(value, ':,')}" for name, value in fields.items())
    return f"::error {where}::{_escaped(problem.what + meant)}"


def _escaped(text: str, more: str = "") -> str:
    for sign in "%\r\n" + more:
        text = text.replace(sign, f"%{ord(sign):02X}")
    return text
