"""The commands `raysim report` and `raysim explain`, which look at a run's folder. Never run anything."""

from __future__ import annotations

from pathlib import Path

import click

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
@_run
@click.argument("task")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def explain(run: Path, task: str, as_json: bool) -> int:
    """Tell why TASK of RUN, the folder that a run left, waited: for what, for how long, and node by node.

    TASK: an id as in tasks.csv, the beginning of one, or a name that only one task has.

    \b
    raysim explain runs/quickstart project_2_3
    """
    from raysim.report import explaining
    from raysim.report.view import view_of
    from raysim.scenario.folder import read_run
    from raysim.scenario.problems import ScenarioError

    try:
        kept = read_run(run)
        view = view_of(kept.journal, kept.time_scale, kept.start_ns)
        explanation = explaining.explain(kept, view, task)
    except ScenarioError as error:
        return _refused(*map(str, error.problems))
    except explaining.UnknownTaskError as error:
        return _refused(f"{run}: {error}")
    click.echo(explaining.as_json(explanation) if as_json else str(explanation))
    return 0


def _refused(*why: str) -> int:
    for line in why:
        click.echo(line, err=True)
    return BAD_INPUT
