"""A run's folder behind the pages of the dashboard, for whoever has the link. Never a cluster."""

from __future__ import annotations

import secrets
from pathlib import Path

import click

from raysim.dashboard.activation import (
    DEFAULT_PORT,
    DashboardMissingError,
    check_host,
    check_installed,
    listen,
)


def show_run(folder: Path, host: str, port: int | None) -> int:
    """Until Ctrl-C; exit code. Raises ScenarioError for a folder that no run left."""
    from raysim.scenario.folder import read_run

    try:
        check_host(host, allowed=False)
        check_installed()
        run = read_run(folder)
        listener = listen(host, DEFAULT_PORT if port is None else port)
    except (DashboardMissingError, ValueError, OSError) as error:
        click.echo(str(error), err=True)
        return 2 if isinstance(error, ValueError) else 1
    from raysim.dashboard.past_run import PastRun
    from raysim.dashboard.serving import serve_source

    # Of a machine that others use, too: nobody else is to read what a run was about.
    token = secrets.token_urlsafe(24)
    name, found, *_ = listener.getsockname()
    click.echo(f"http://{name}:{found}/login#token={token}")
    click.echo("Ctrl-C ends it.", err=True)
    serve_source(PastRun(run), listener, token.encode())
    return 0
