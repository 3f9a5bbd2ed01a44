"""Runs an unmodified Ray Core program in a world and sums it up. Never changes what it prints.

The program runs in this process as `python program.py` would run it: `__main__`, its arguments, its
folder first on `sys.path`. Its own `init` starts the world; what the scenario says of the cluster is
preset for it. `import ray` and `import raysim` both reach raysim: see `raysim.api.alias`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

from raysim.api import alias
from raysim.api.defaults import Defaults, defaults, set_defaults
from raysim.api.session import shutdown
from raysim.faults.support import RAY
from raysim.journal import Escaped
from raysim.scenario.loading import Experiment
from raysim.scenario.problems import Problem, ScenarioError
from raysim.scenario.reading import read_text
from raysim.scenario.records import Notes, makespan_s, records_of_program
from raysim.scenario.running import (
    SIMULATED,
    Run,
    RunOptions,
    Stopwatch,
    check_world,
    init_options,
    outcome_of,
    run_workflow,
    what_differs,
)
from raysim.scenario.summary import Outcome, summarise


class ProgramRun(msgspec.Struct, frozen=True):
    """What a program leaves: its exit status (a workflow's is 0), and the run as any other."""

    status: int
    run: Run


def run_experiment(experiment: Experiment, options: RunOptions) -> ProgramRun:
    """Run whatever the experiment is of. Raises ScenarioError where this world cannot."""
    if experiment.program is not None:
        return run_program(experiment, options)
    return ProgramRun(0, run_workflow(experiment, options))


def run_program(experiment: Experiment, options: RunOptions) -> ProgramRun:
    """Run the experiment's program to its end. Raises ScenarioError where this world cannot.

    An exception that the program does not catch is shown as Python shows it, and the status is 1.
    KeyboardInterrupt goes on to the caller, after the world was stopped.
    """
    check_world(experiment, options)
    _check_program(experiment, options)
    watch = Stopwatch()
    notes = Notes(options.journal)
    try:
        with _preset(experiment, options):
            # On Ray `import ray` finds Ray: the backend needs it, and its own answer is right there.
            status = _execute(experiment, options.backend != RAY)
            joined = defaults.joined
    finally:
        shutdown()
    wall_s = watch.seconds()  # After shutdown: until then a simulated clock may stand in its place.
    records = records_of_program(notes, notes.start_ns)
    outcome = _outcome(experiment, options, notes, wall_s)
    expected = experiment.scenario.expectations
    summary = summarise(outcome, records, None, expected, experiment.title)
    told = what_differs(experiment, options) + _escapes(options) + _elsewhere(joined)
    run = Run(experiment, summary, records, options.journal, notes.start_ns, told)
    return ProgramRun(status, run)


def _escapes(options: RunOptions) -> tuple[str, ...]:
    """What the program did beyond the simulation."""
    return tuple(
        f"{note.place} {note.what}, which is not simulated: runs of one seed may differ"
        for note in options.journal.notes(Escaped)
    )


def _elsewhere(joined: str) -> tuple[str, ...]:
    if not joined:
        return ()
    return (
        f"the program joined the cluster at {joined}: its tasks are counted there, see `raysim summary tasks`",
    )


def _check_program(experiment: Experiment, options: RunOptions) -> None:
    problems: list[str] = []
    if options.time_scale != 1:
        problems.append(
            f"--time-scale {options.time_scale:g} is for workflows: a program's durations are its own"
        )
    if options.backend == RAY:
        problems.extend(
            f"{fault} cannot be performed on a program on ray, which starts its own cluster; use --backend sim"
            for fault in experiment.scenario.faults
        )
    if problems:
        raise ScenarioError(Problem(str(experiment.file), None, what) for what in problems)


@contextmanager
def _preset(experiment: Experiment, options: RunOptions) -> Iterator[None]:
    """What the program's `init` finds decided; what the scenario leaves open, the program decides."""
    wanted = init_options(experiment, options)
    said = experiment.scenario.model_fields_set
    set_defaults(
        Defaults(
            backend=options.backend,
            nodes=wanted.nodes if _describes_nodes(experiment) else None,
            seed=wanted.seed if "seed" in said else None,
            policy=wanted.config.policy if "policy" in said else None,
            queue=wanted.config.queue if "queue" in said else None,
            eviction=wanted.config.eviction if "eviction" in said else None,
            world={**wanted.world, **_faults(experiment, options)},
            journal=options.journal,
            entrypoint=options.command,
        )
    )
    try:
        yield
    finally:
        set_defaults(Defaults())


def _faults(experiment: Experiment, options: RunOptions) -> dict[str, Any]:
    """What goes wrong on a real cluster, from the program's `init` on."""
    if options.backend in SIMULATED or not experiment.scenario.faults:
        return {}
    return {
        "faults": experiment.scenario.faults,
        "expected_makespan_ns": experiment.expected_makespan_ns,
    }


def _describes_nodes(experiment: Experiment) -> bool:
    """Whether the scenario says what the cluster is made of; its network alone does not."""
    cluster = experiment.scenario.cluster
    return bool({"nodes", "cpus"} & cluster.model_fields_set)


def _execute(experiment: Experiment, as_ray: bool) -> int:
    """The exit status. As `python program.py args`: see the language reference, `__main__`."""
    program = experiment.program
    assert program is not None, f"{experiment.file} is no program: see running.py"
    args = getattr(experiment.scenario.workload, "args", [])
    with _as_main(program, args, as_ray) as main:
        try:
            # Without `dont_inherit` the program would be compiled under this module's __future__.
            code = compile(read_text(program), main.__file__ or "", "exec", dont_inherit=True)
            exec(code, main.__dict__)  # noqa: S102 - that is its job.
        except SystemExit as error:
            return _status(error)
        except Exception as error:  # noqa: BLE001 - shown as the interpreter shows it.
            trace = error.__traceback__
            shown = error.with_traceback(trace.tb_next if trace else None)  # Without this frame.
            sys.excepthook(type(shown), shown, shown.__traceback__)
            return 1
    return 0


@contextmanager
def _as_main(program: Path, args: list[str], as_ray: bool) -> Iterator[ModuleType]:
    main = ModuleType("__main__")
    main.__file__ = str(program)
    main.__dict__["__builtins__"] = __builtins__
    before = (sys.argv, sys.path, sys.modules["__main__"])
    sys.argv = [str(program), *args]
    found_first = [program.resolve().parent, *([alias.AS_RAY] if as_ray else [])]
    sys.path = [*map(str, found_first), *sys.path]
    sys.modules["__main__"] = main
    try:
        yield main
    finally:
        sys.argv, sys.path, sys.modules["__main__"] = before
        alias.remove()


def _status(error: SystemExit) -> int:
    if error.code is None:
        return 0
    if isinstance(error.code, int):
        return error.code
    sys.stderr.write(f"{error.code}\n")
    return 1


def _outcome(experiment: Experiment, options: RunOptions, notes: Notes, wall_s: float) -> Outcome:
    """The cluster is the one that came to be, where the journal tells it, or else the one asked for."""
    outcome = outcome_of(experiment, options, notes, wall_s, makespan_s(notes, notes.ended.rows))
    if notes.nodes:
        return msgspec.structs.replace(outcome, nodes=len(notes.nodes), cpus=notes.cpus)
    if not _describes_nodes(experiment):
        return msgspec.structs.replace(outcome, nodes=None, cpus=None, gpus=None)
    return outcome
