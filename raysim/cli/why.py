"""The commands `raysim why` and `raysim diff`: what led to an event, where two runs part. Never judge a run."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from raysim.cli.replay import load
from raysim.cli.run import BAD_INPUT, WENT_WRONG

if TYPE_CHECKING:
    from raysim.journal import Record
    from raysim.testing.why import Link

SHOWN_NOTES: Final = 10


def why_command(path: Path, event: str) -> int:
    """The chain from the event back, one line each; without an event, from the last trouble, with the last notes."""
    from raysim.testing.replay import trace_of
    from raysim.testing.why import find_event, last_trouble, why

    loaded = load(path)
    if loaded is None:
        return BAD_INPUT
    journal = trace_of(*loaded)
    records = journal.records
    number = find_event(records, event) if event else last_trouble(records)
    if number is None:
        click.echo(f"none of the {len(records)} events of this run has {event!r}", err=True)
        return BAD_INPUT
    _show(why(journal, number))
    if not event:
        click.echo(f"\nOf any other event: raysim why {shlex.quote(str(path))} EVENT")
        click.echo("EVENT is a number, or a text. The last notes of the run:\n")
        for link in _last_notes(records):
            click.echo(str(link))
    return 0


def _show(chain: list[Link]) -> None:
    """A line for each link; a timer that is set again and again has two."""
    for place, link in enumerate(chain):
        neighbours = chain[place - 1 : place] + chain[place + 1 : place + 2]
        if (
            link.is_like is None
            or len(neighbours) < 2
            or any(other.is_like != link.is_like for other in neighbours)
        ):
            click.echo(str(link))
        elif chain[place - 2].is_like != link.is_like:
            click.echo("    ...  the same timer, again and again")


def _last_notes(records: Sequence[Record]) -> list[Link]:
    from raysim.testing.why import Link

    noted = [Link(at, record) for at, record in enumerate(records) if record[2] == "note"]
    return noted[-SHOWN_NOTES:]


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
