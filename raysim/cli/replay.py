"""The commands `raysim replay` and `raysim shrink`: a failure again, and a smaller one. Never judge a run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from raysim.cli.run import BAD_INPUT, WENT_WRONG
from raysim.report.text import count

if TYPE_CHECKING:
    from raysim.testing.bundle import Bundle
    from raysim.testing.case import Case, Target
    from raysim.testing.shrink import Shrunk


def load(path: Path) -> tuple[Bundle, Target] | None:
    """The failure and what it is of; None where there is none, which is said."""
    from raysim.testing.bundle import BundleError, read_bundle
    from raysim.testing.target import TargetError, find_target

    try:
        bundle = read_bundle(path)
        return bundle, find_target(bundle.target, bundle.module)
    except (BundleError, TargetError) as error:
        click.echo(str(error), err=True)
        return None


def replay_command(path: Path, trace: Path | None) -> int:
    """1 when it fails again, 0 when it does not any more."""
    from raysim.testing.bundle import versions
    from raysim.testing.replay import replay

    loaded = load(path)
    if loaded is None:
        return BAD_INPUT
    bundle, target = loaded
    click.echo(f"{bundle.describe()}\n")
    if trace is not None:
        with trace.open("wb") as sink:
            verdict, same = replay(bundle, target, sink)
    else:
        verdict, same = replay(bundle, target)
    if verdict.ok:
        click.echo("It does not fail any more.")
    else:
        click.echo("It fails again" + (", event for event:" if same else ", in another way:"))
        for finding in verdict.findings:
            click.echo(f"  {finding}")
    if not same:
        changed = {k: v for k, v in versions().items() if bundle.versions.get(k) != v}
        was = ", ".join(f"{k} {v} (was {bundle.versions.get(k)})" for k, v in changed.items())
        click.echo(f"The run is another one than was recorded: {was or 'the code has changed'}.")
    return 0 if verdict.ok else WENT_WRONG


def shrink_command(path: Path, seconds: float, out: Path | None) -> int:
    """1 with the smaller failure, 0 when it does not fail any more."""
    from raysim.testing.bundle import bundle_of
    from raysim.testing.replay import replay
    from raysim.testing.shrink import Shrinker

    loaded = load(path)
    if loaded is None:
        return BAD_INPUT
    bundle, target = loaded
    verdict, _ = replay(bundle, target)
    if verdict.ok:
        click.echo(f"seed {bundle.case.seed} does not fail any more: there is nothing to shrink.")
        return 0

    def told(shrunk: Shrunk) -> None:
        if sys.stderr.isatty():
            click.echo(f"\r{_size(shrunk.case)}, after {shrunk.runs} runs   ", nl=False, err=True)

    shrunk = Shrinker(target, bundle.case, verdict, seconds, told).run()
    if sys.stderr.isatty():
        click.echo(err=True)
    smaller = bundle_of(bundle.target, shrunk.case, shrunk.verdict, bundle.module)
    out = out or path.with_name(f"{path.stem}.small.json")
    smaller.write(out)
    case = bundle.case
    runs = count(shrunk.runs, "run")
    click.echo(
        f"{_size(case)} -> {_size(shrunk.case)}, in {runs}\n\n{smaller.describe()}\n\nAgain: raysim replay {out}"
    )
    return WENT_WRONG


def _size(case: Case) -> str:
    parts = [count(len(case.profile.faults), "fault")]
    if case.program:
        parts.append(count(len(case.program), "operation"))
    return ", ".join([*parts, count(case.profile.nodes, "node")])
