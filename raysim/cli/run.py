"""The command `raysim run`: from a request to a printed summary and a folder. Never runs a task itself."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from raysim.cli.request import Request

if TYPE_CHECKING:
    from raysim.journal import Journal
    from raysim.scenario.loading import Experiment
    from raysim.scenario.running import Run, RunOptions

WENT_WRONG: Final = 1
BAD_INPUT: Final = 2

MOST_ATTEMPTS: Final = 50_000
"""Of tasks, that a run's journal and `timeline.json` hold; the summary, `tasks.csv` and the page are of all. A
timeline of more is slow to open, and a million notes would take 400 MB. `--trace` writes, and keeps, everything."""


@dataclass(frozen=True)
class Output:
    """What is left of a run, and where."""

    folder: Path | None = None
    no_folder: bool = False
    as_json: bool = False
    trace: Path | None = None
    record: Path | None = None
    """The scenario to write, of which the same workload runs again."""

    def folder_of(self, experiment: Experiment) -> Path | None:
        """The run's folder: as asked; else a scenario leaves one, other targets do not."""
        if self.no_folder:
            return None
        if self.folder is None and experiment.file.suffix.lower() in (".yaml", ".yml"):
            return Path("runs") / experiment.name / experiment.case
        return self.folder


@dataclass(frozen=True)
class Ended:
    """A run that came to its end."""

    run: Run
    status: int
    """0 where all that was expected of it holds; a program's own, if that is not 0."""
    report: Path | None
    """The page to look at."""


def run_request(request: Request, output: Output, jobs: int = 1) -> int:
    """Run it; the exit code: a program's own, 1 where an expectation does not hold, 2 for bad input."""
    from raysim.cli.batch import is_batch, run_batch
    from raysim.scenario.problems import ScenarioError

    try:
        if is_batch(request):
            return run_batch(request, output, jobs)
        return _printed(perform(request, output), output)
    except ScenarioError as error:
        for problem in error.problems:
            click.echo(str(problem), err=True)
        return BAD_INPUT
    except BrokenOffError as error:
        click.echo(str(error), err=True)
        return WENT_WRONG


class BrokenOffError(Exception):
    """A run that came to no end."""


def perform(request: Request, output: Output, *, quiet: bool = False) -> Ended:
    """Run what is asked for and write its folder. `quiet`: no progress is shown.

    Raises ScenarioError for bad input, BrokenOffError where the run breaks off.
    """
    from raysim.backend import BackendMissingError
    from raysim.exceptions import RayError
    from raysim.scenario.problems import Problem, ScenarioError

    try:
        return _perform(request, request.load(), output, quiet)
    except BackendMissingError as error:
        problem = Problem(f"--backend {request.backend}", None, str(error))
        raise ScenarioError([problem]) from error
    except RayError as error:
        raise BrokenOffError(f"{request.target}: the run broke off. {error}") from error


def _perform(request: Request, experiment: Experiment, output: Output, quiet: bool) -> Ended:
    from raysim.scenario.running import SIMULATED, RunOptions

    if output.record is not None:
        from raysim.scenario.recording import check_recording

        check_recording(output.record)
    folder = output.folder_of(experiment)
    with ExitStack() as files:
        journal = _prepare(folder, output.trace, files)
        options = RunOptions(
            backend=request.backend,
            time_scale=request.time_scale,
            command=request.command(),
            journal=journal,
        )
        if experiment.program is None:
            if request.backend in SIMULATED:
                files.enter_context(_uncollected())
            run = _run_workflow(experiment, options, quiet)
            return _written(run, 0, folder, options, output.record)
        from raysim.scenario.programs import run_program

        ended = run_program(experiment, options)
        return _written(ended.run, ended.status, folder, options, output.record)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without Python's collector, which would look through what is left of a large world while its run is summed up.

    A scenario's tasks make no garbage, and a world that runs some collects by itself.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.freeze()
            gc.unfreeze()  # All is of the oldest generation now, which is seldom looked through.
            gc.enable()


def _prepare(folder: Path | None, trace: Path | None, files: ExitStack) -> Journal:
    """The run's journal, and its folder: what cannot be written is told before the run, not after."""
    from raysim.journal import Journal, Level
    from raysim.scenario.problems import Problem, ScenarioError

    at = folder
    try:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        if trace is None:
            return Journal(Level.NOTES, most_attempts=MOST_ATTEMPTS)
        at = trace
        return Journal(Level.ALL, sink=files.enter_context(trace.open("wb")))
    except OSError as error:
        raise ScenarioError(
            [Problem(str(at), None, f"cannot be written: {error.strerror}")]
        ) from error


def _run_workflow(experiment: Experiment, options: RunOptions, quiet: bool) -> Run:
    from raysim.cli.progress import progress_of
    from raysim.scenario.running import run_workflow

    if quiet:
        return run_workflow(experiment, options)
    with progress_of(experiment.title) as told:
        return run_workflow(experiment, replace(options, progress=told))


def _written(
    run: Run, status: int, folder: Path | None, options: RunOptions, record: Path | None
) -> Ended:
    """Write what the run came to, and judge it."""
    if record is not None:
        from raysim.scenario.problems import Problem, ScenarioError
        from raysim.scenario.recording import write_recording

        try:
            write_recording(run, record)
        except OSError as error:
            what = f"cannot be written: {error.strerror}"
            raise ScenarioError([Problem(f"--record {record}", None, what)]) from error
    report = None
    if folder is not None:
        from raysim.report.folder import write_report

        # What is left of a large world would be looked through again and again while this is written.
        gc.freeze()
        try:
            report = write_report(run, folder, options.time_scale)
        finally:
            gc.unfreeze()
    held = run.summary.held
    if not run.summary.expectations and run.experiment.program is None:
        held = not run.summary.failed
    return Ended(run, status or (0 if held else WENT_WRONG), report)


def _printed(ended: Ended, output: Output) -> int:
    """A program's standard output is its own: there, what people read goes to standard error."""
    from raysim.cli.show import shown

    if output.as_json:
        import msgspec

        click.echo(msgspec.json.encode(ended.run.summary).decode())
    else:
        click.echo(shown(ended.run, ended.report), err=ended.run.experiment.program is not None)
    return ended.status
