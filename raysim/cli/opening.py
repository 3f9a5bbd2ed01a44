"""`raysim dashboard`: a run that is over, in the pages of the dashboard. Never what they show: see raysim/dashboard."""

from __future__ import annotations

from pathlib import Path

import click

BAD_INPUT = 2


@click.command()
@click.argument("run", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--host", default="127.0.0.1", show_default=True, metavar="HOST")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    metavar="N",
    help="Default 8265, or the next that is free; 0: any.",
)
def dashboard(run: Path, host: str, port: int | None) -> int:
    """Show RUN, the folder that a run left, in the pages of the dashboard, at any moment of it. Until Ctrl-C.

    Of a cluster that runs, `raysim start --head` says where its dashboard is.

    \b
    raysim dashboard runs/quickstart
    """
    from raysim.cli.past import show_run
    from raysim.scenario.problems import ScenarioError

    try:
        return show_run(run, host, port)
    except ScenarioError as error:
        for line in map(str, error.problems):
            click.echo(line, err=True)
        return BAD_INPUT
