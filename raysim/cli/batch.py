"""`raysim run` of many: the cases of a sweep, the scenarios in a folder. Never says how one of them runs: see run."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, NamedTuple

import click

from raysim.cli.progress import progress_of
from raysim.cli.request import Request
from raysim.cli.run import BAD_INPUT, WENT_WRONG, BrokenOffError, Output, perform
from raysim.cli.table import Table
from raysim.scenario.loading import SCENARIOS, case_names, sweeps, swept_fields
from raysim.scenario.outcomes import RunOutcome, write_outcomes
from raysim.scenario.pool import in_processes
from raysim.scenario.problems import Problem, ScenarioError

_PRINTED: Final = "output.txt"
"""In a run's folder: what its program printed."""
_LAST_LINES: Final = 5
"""Of what a program printed, where it failed."""


@dataclass(frozen=True)
class Unit:
    """One run of many."""

    name: str
    scenario: str
    """The name of its scenario, which the cases of a sweep share."""
    request: Request
    output: Output


class Result(NamedTuple):
    """What became of one: its row, and why it failed where it did."""

    outcome: RunOutcome
    reasons: tuple[str, ...]


def is_batch(request: Request) -> bool:
    """Whether the target is more than one run."""
    target = Path(request.target)
    return target.is_dir() or (not request.case and sweeps(target))


def run_batch(request: Request, output: Output, jobs: int) -> int:
    """Run them all, a line each; 1 where one of them failed. Raises ScenarioError before any runs."""
    units = _units(request, output)
    results: dict[int, Result] = {}
    table = Table([unit.name for unit in units])
    if not output.as_json:
        click.echo(table.head())
    with progress_of("runs") as told:
        printed = 0
        for index, result in in_processes(run_unit, units, jobs):
            results[index] = result
            if told is not None:
                told(len(results), len(units))
            while printed in results:  # In their order, whichever ended first.
                _print(results[printed], output, table)
                printed += 1
    ordered = [results[index] for index in range(len(units))]
    _conclude(_folder(request, output, units), output, ordered)
    return max(result.outcome.status for result in ordered) and WENT_WRONG


def run_unit(unit: Unit) -> Result:
    """One of them, without a word; a program's output goes into its folder."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            ended = perform(unit.request, unit.output, quiet=True)
    except ScenarioError as error:
        return Result(RunOutcome(unit.name, BAD_INPUT), tuple(map(str, error.problems)))
    except BrokenOffError as error:
        return Result(RunOutcome(unit.name, WENT_WRONG), (str(error),))
    summary = ended.run.summary
    reasons = [
        f"{judgement.text} does not hold: {judgement.because}"
        for judgement in summary.expectations
        if not judgement.held
    ]
    if ended.status and not reasons:
        reasons = said.getvalue().splitlines()[-_LAST_LINES:] or [f"exit status {ended.status}"]
    folder = unit.output.folder_of(ended.run.experiment)
    if said.getvalue() and folder is not None:
        (folder / _PRINTED).write_text(said.getvalue(), encoding="utf-8")
    return Result(RunOutcome(unit.name, ended.status, summary), tuple(reasons))


def _print(result: Result, output: Output, table: Table) -> None:
    if output.as_json:
        click.echo(result.outcome.json())
        return
    click.echo(table.row(result.outcome))
    for reason in result.reasons:
        click.echo(f"    {reason}")


def _conclude(folder: Path | None, output: Output, results: Sequence[Result]) -> None:
    failed = sum(1 for result in results if result.outcome.status)
    if folder is not None:
        write_outcomes(folder, [result.outcome for result in results])
    if output.as_json:
        return
    told = f"{len(results) - failed} of {len(results)} runs are as expected."
    where = "" if folder is None else f" All figures: {folder}/runs.csv, runs.json"
    click.echo(f"\n{told}{where}")


def _folder(request: Request, output: Output, units: Sequence[Unit]) -> Path | None:
    """Of the whole: each run has a folder in it."""
    if output.no_folder:
        return None
    if Path(request.target).is_dir():
        return output.folder or Path("runs")
    return output.folder or Path("runs") / units[0].scenario


def _units(request: Request, output: Output) -> list[Unit]:
    """In the order of the files' names. Raises ScenarioError with all that is wrong in any of them."""
    target = Path(request.target)
    problems: list[Problem] = []
    if output.trace is not None:
        problems.append(Problem("--trace", None, "is of one run; name one with --case"))
    if output.record is not None:
        problems.append(Problem("--record", None, "is of one run; name one with --case"))
    if request.args:
        what = f"only a program (.py) takes arguments of its own, such as {request.args[0]!r}"
        problems.append(Problem(request.target, None, what))
    units: list[Unit] = []
    for file in _files(target):
        try:
            units += _of_file(file, replace(request, target=str(file)), output, target.is_dir())
        except ScenarioError as error:
            problems += error.problems
    names = [unit.name for unit in units]
    for unit in units:
        if names.count(unit.name) > 1:
            what = f"another scenario here is called {unit.scenario!r} as well; give it a `name` of its own"
            problems.append(Problem(unit.request.target, None, what))
    if problems:
        raise ScenarioError(dict.fromkeys(problems))
    return units


def _files(target: Path) -> list[Path]:
    if not target.is_dir():
        return [target]
    files = sorted(file for file in target.iterdir() if file.suffix.lower() in SCENARIOS)
    if not files:
        what = "there is no scenario (.yaml) in this folder"
        raise ScenarioError([Problem(str(target), None, what)])
    return files


def _of_file(file: Path, request: Request, output: Output, in_folder: bool) -> Iterator[Unit]:
    """Its cases, each tried with what the command line changes."""
    cases = case_names(file)
    if cases != [""]:
        _check_typed(file, request)
    for case in cases:
        asked = replace(request, case=case)
        experiment = asked.load()
        parts = ([experiment.name] if in_folder else []) + ([case] if case else [])
        folder = output.folder and output.folder.joinpath(*parts)
        yield Unit("/".join(parts), experiment.name, asked, replace(output, folder=folder))


def _check_typed(file: Path, request: Request) -> None:
    """Raises ScenarioError for options that would make the runs of a sweep alike."""
    typed = {
        "--nodes": (request.nodes, "cluster.nodes"),
        "--cpus": (request.cpus, "cluster.cpus"),
        "--network": (request.network, "cluster.network"),
        "--seed": (request.seed, "seed"),
        "--policy": (request.policy, "policy"),
        "--queue": (request.queue, "queue"),
        "--eviction": (request.eviction, "eviction"),
    }
    problems = [
        Problem(option, None, f"the scenario sweeps {field}; leave one of the two out")
        for field in swept_fields(file)
        for option, (value, of) in typed.items()
        if value is not None and (field == of or field.startswith(f"{of}."))
    ]
    if problems:
        raise ScenarioError(problems)
