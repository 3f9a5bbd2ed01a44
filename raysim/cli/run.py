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
"""Of tasks, that a run's journal and its pictures hold; the summary and `tasks.csv` are of all. A picture of more
is slow to open, and a million notes would take 400 MB. `--trace` writes, and keeps, everything."""


@dataclass(frozen=True)
class Output:
    """What is left of a run, and where."""

    folder: Path | None = None
    no_folder: bool = False
    as_json: bool = False
    trace: Path | None = None

    def folder_of(self, experiment: Experiment) -> Path | None:
        """The run's folder: as asked; else a scenario leaves one, other targets do not."""
        if self.no_folder:
            return None
        if self.folder is None and experiment.file.suffix.lower() in (".yaml", ".yml"):
            return Path("runs") / experiment.name
        return self.folder


def run_request(request: Request, output: Output) -> int:
    """Run it; the exit code: a program's own, 1 where an expectation does not hold, 2 for bad input."""
    from raysim.backend import BackendMissingError
    from raysim.exceptions import RayError
    from raysim.scenario.problems import ScenarioError

    try:
        return _run(request, request.load(), output)
    except ScenarioError as error:
        for problem in error.problems:
            click.echo(str(problem), err=True)
        return BAD_INPUT
    except BackendMissingError as error:
        click.echo(f"--backend {request.backend}: {error}", err=True)
        return BAD_INPUT
    except RayError as error:
        click.echo(f"{request.target}: the run broke off. {error}", err=True)
        return WENT_WRONG


def _run(request: Request, experiment: Experiment, output: Output) -> int:
    from raysim.scenario.running import SIMULATED, RunOptions

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
            return _conclude(_run_workflow(experiment, options), output, folder, options)
        from raysim.scenario.programs import run_program

        ended = run_program(experiment, options)
        held = _conclude(ended.run, output, folder, options)
        return ended.status or held


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


def _run_workflow(experiment: Experiment, options: RunOptions) -> Run:
    from raysim.cli.progress import progress_of
    from raysim.scenario.running import run_workflow

    with progress_of(experiment.name) as told:
        return run_workflow(experiment, replace(options, progress=told))


def _conclude(run: Run, output: Output, folder: Path | None, options: RunOptions) -> int:
    """Write and print what the run came to; 0 where all that was expected of it holds.

    A program's standard output is its own: there, what people read goes to standard error.
    """
    from raysim.cli.show import shown

    report = None
    if folder is not None:
        from raysim.report.folder import write_report

        # What is left of a large world would be looked through again and again while this is written.
        gc.freeze()
        try:
            report = write_report(run, folder, options.time_scale)
        finally:
            gc.unfreeze()
    is_program = run.experiment.program is not None
    if output.as_json:
        import msgspec

        click.echo(msgspec.json.encode(run.summary).decode())
    else:
        click.echo(shown(run, report), err=is_program)
    held = run.summary.held
    if not run.summary.expectations and not is_program:
        held = not run.summary.failed
    return 0 if held else WENT_WRONG
