"""Options of commands that run many seeds. Never a command."""

import click

FIRST = click.option(
    "--first", type=int, default=0, show_default=True, metavar="N", help="The first seed."
)
JOBS = click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="J",
    help="Processes.",
)
