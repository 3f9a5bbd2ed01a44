"""The commands `raysim report` and `raysim explain`, which look at a run's folder or a cluster. Never run anything."""

from __future__ import annotations

from pathlib import Path

import click

from raysim.cli.state_options import address

BAD_INPUT = 2

_run = click.argument("run", type=click.Path(file_okay=False, exists=True, path_type=Path))


@click.command()
@_run
@click.option("--figures", is_flag=True, help="Also each picture as an SVG, in RUN/figures.")
@click.option("--png", is_flag=True, help="Those as PNG, too. Needs resvg_py.")
@click.option("--parquet", is_flag=True, help="Also tasks.parquet. Needs pyarrow.")
def report(run: Path, figures: bool, png: bool, parquet: bool) -> int:
    """Write report.html and timeline.json of RUN, the folder that a run left, anew.

    \b
    raysim report runs/quickstart --figures
    raysim report runs/quickstart --png
    """
    from raysim.report.folder import write_pictures
    from raysim.report.parquet import MissingPyarrowError, write_parquet
    from raysim.report.png import MissingResvgError, write_pngs
    from raysim.scenario.folder import read_run
    from raysim.scenario.problems import ScenarioError

    try:
        kept = read_run(run)
        written = write_pictures(kept, run, figures or png)
        if png:
            written += write_pngs([path for path in written if path.suffix == ".svg"])
        if parquet:
            written.append(write_parquet(kept.records, run))
    except ScenarioError as error:
        return _refused(*map(str, error.problems))
    except MissingResvgError as error:
        return _refused(f"--png: {error}")
    except MissingPyarrowError as error:
        return _refused(f"--parquet: {error}")
    except OSError as error:
        return _refused(f"{run}: cannot be written: {error.strerror}")
    for path in written:
        click.echo(str(path))
    return 0


@click.command()
@click.argument("subject", metavar="ID|RUN")
@click.argument("task", required=False, default="", metavar="[TASK]")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@address
def explain(subject: str, task: str, as_json: bool, address: str) -> int:
    """Tell why a thing of a cluster that runs waits, failed or was lost: for what, node by node. ID: of a task, object,
    actor, placement group, node, worker or job, in full, as `raysim list` shows it.

    Of TASK of RUN, the folder that a run left, why it waited. TASK: an id as in tasks.csv, the beginning of one, or a
    name that only one task has.

    \b
    raysim explain 16310a0f0a45af5cffffffffffffffffffffffff01000000
    raysim explain runs/quickstart project_2_3
    """
    if task:
        return _explain_run(Path(subject), task, as_json)
    if Path(subject).is_dir():
        return _refused(
            f"{subject} is a run's folder. Say of which task: raysim explain {subject} TASK"
        )
    from raysim.cli.acts import explain_command

    return explain_command(subject, as_json, address)


def _explain_run(run: Path, task: str, as_json: bool) -> int:
    from raysim.report import explaining
    from raysim.report.view import view_of
    from raysim.scenario.folder import read_run
    from raysim.scenario.problems import ScenarioError

    if not run.is_dir():
        return _refused(
            f"{run} is no folder that a run left. Of a cluster that runs: raysim explain ID"
        )
    try:
        kept = read_run(run)
        view = view_of(kept.journal, kept.time_scale, kept.start_ns)
        explanation = explaining.explain(kept, view, task)
    except ScenarioError as error:
        return _refused(*map(str, error.problems))
    except explaining.UnknownTaskError as error:
        return _refused(f"{run}: {error}")
    click.echo(explanation.as_json() if as_json else str(explanation))
    return 0


def _refused(*why: str) -> int:
    for line in why:
        click.echo(line, err=True)
    return BAD_INPUT
