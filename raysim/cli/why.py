"""The commands `raysim why` and `raysim diff`: what led to an event, where two runs part. Never judge a run."""

from __future__ import annotations

from pathlib import Path

import click

from raysim.cli.replay import load
from raysim.cli.run import BAD_INPUT, WENT_WRONG


def why_command(path: Path, event: str) -> int:
    """The chain from the event back, one line each; without an event, of the run's last notes."""
    from raysim.testing.replay import trace_of
    from raysim.testing.why import Link, find_event, why

    loaded = load(path)
    if loaded is None:
        return BAD_INPUT
    journal = trace_of(*loaded)
    if not event:
        click.echo(
            "Give an event: its number, or a text that it has. The last notes of this run are:"
        )
        noted = [Link(i, record) for i, record in enumerate(journal.records) if record[2] == "note"]
        for link in noted[-20:]:
            click.echo(str(link))
        return BAD_INPUT
    number = find_event(journal.records, event)
    if number is None:
        click.echo(f"none of the {len(journal.records)} events of this run has {event!r}", err=True)
        return BAD_INPUT
    for link in why(journal, number):
        click.echo(str(link))
    return 0


def diff_command(one: Path, other: Path) -> int:
    """0 where both runs are the same, 1 with the first difference."""
    from raysim.testing.diff import first_difference
    from raysim.testing.replay import trace_of

    loaded = load(one), load(other)
    if loaded[0] is None or loaded[1] is None:
        return BAD_INPUT
    parting = first_difference(trace_of(*loaded[0]), trace_of(*loaded[1]))
    click.echo("The two runs are the same." if parting is None else str(parting))
    return 0 if parting is None else WENT_WRONG
