"""The command `raysim hunt`: a campaign on a terminal. Never runs a seed itself."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from raysim.cli.run import BAD_INPUT, WENT_WRONG
from raysim.report.text import count

if TYPE_CHECKING:
    from raysim.testing.hunt import HuntOptions, Progress

SHOWN_SEEDS: Final = 6
"""Of one cause, the first ones."""


def hunt_command(options: HuntOptions) -> int:
    """0 when no seed failed, 1 with the failures grouped by cause."""
    from raysim.testing.hunt import hunt
    from raysim.testing.target import TargetError

    interrupted = False
    seen: list[Progress] = []
    try:
        with _bar(options) as told:

            def hear(progress: Progress) -> None:
                seen[:] = [progress]
                told(progress)

            progress = hunt(options, hear)
    except TargetError as error:
        click.echo(str(error), err=True)
        return BAD_INPUT
    except ValueError as error:
        click.echo(f"raysim hunt: {error}", err=True)
        return BAD_INPUT
    except KeyboardInterrupt:
        interrupted = True
        if not seen:
            raise
        progress = seen[0]
    click.echo(summary(progress, options.folder))
    if interrupted:
        click.echo("Interrupted. The same command with --resume goes on.", err=True)
        raise KeyboardInterrupt
    return WENT_WRONG if progress.failures or progress.never_hit() else 0


def summary(progress: Progress, folder: Path) -> str:
    """What a hunt came to: each cause with its seeds, and the line that looks at the first."""
    rate = progress.runs / progress.seconds if progress.seconds else 0.0
    head = f"{progress.runs} seeds in {progress.seconds:.1f} s ({rate:.0f}/s): "
    never = [
        f"sometimes: never true in any of {progress.runs} runs: {label}"
        for label in progress.never_hit()
    ]
    if not progress.failures:
        return "\n".join([f"{head}no failure", *never])
    failed = count(progress.failed, "failure")
    lines = [f"{head}{failed} of {count(len(progress.failures), 'cause')}", *never]
    by_count = sorted(progress.failures.items(), key=lambda item: -len(item[1]))
    for cause, seeds in by_count:
        shown = ", ".join(str(seed) for seed in seeds[:SHOWN_SEEDS])
        more = ", ..." if len(seeds) > SHOWN_SEEDS else ""
        file = folder / "failures" / f"seed-{seeds[0]}.json"
        lines += ["", f"{len(seeds)} x {cause}", f"    seeds {shown}{more}"]
        lines.append(f"    raysim shrink {shlex.quote(str(file))}")
    return "\n".join(lines)


@contextmanager
def _bar(options: HuntOptions) -> Iterator[Callable[[Progress], None]]:
    """Nothing where standard error is no terminal."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[failed]}"),
    )
    # What runs prints goes nowhere; the bar keeps the terminal.
    console = Console(file=sys.stderr)
    with Bar(
        *columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False
    ) as bar:
        row = bar.add_task(options.target or "protocol", total=options.seeds, failed="")

        def told(progress: Progress) -> None:
            done = progress.next_seed - options.first
            failures = progress.failures
            said = f"{progress.failed} failures, {len(failures)} causes" if failures else ""
            bar.update(row, completed=done, failed=said)

        yield told
