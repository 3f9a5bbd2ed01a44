"""The command `raysim compare`: two folders that runs or comparisons left, side by side. Never runs anything."""

from __future__ import annotations

from pathlib import Path

import click

from raysim.cli.run import BAD_INPUT


def compare_saved(one: Path, other: Path, output_format: str, everything: bool) -> int:
    """0, whatever differs; 2 where the two cannot be compared."""
    from raysim.report.versus import as_csv, as_json, markdown
    from raysim.scenario.problems import ScenarioError
    from raysim.scenario.saved import load_saved
    from raysim.scenario.versus import versus

    try:
        found = versus(load_saved(one), load_saved(other))
    except ScenarioError as error:
        for problem in error.problems:
            click.echo(str(problem), err=True)
        return BAD_INPUT
    match output_format:
        case "json":
            text = as_json(found)
        case "csv":
            text = as_csv(found)
        case _:
            text = markdown(found, everything)
    click.echo(text, nl=False)
    return 0
