"""A command's connection to a cluster that runs, and how it fails. Never what is asked over it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import click

import raysim
from raysim.api.init_options import DEFAULT_BACKEND
from raysim.exceptions import RayError
from raysim.util.state.exception import RayStateApiException


class CommandFailedError(click.ClickException):
    """Said as it is, on standard error."""

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(self.message, file, err=True)


class BadInputError(CommandFailedError):
    exit_code = 2


@contextmanager
def connected_to(address: str) -> Iterator[None]:
    """Raises CommandFailedError where there is no such cluster, or where it stops answering."""
    try:
        raysim.init(address, backend=DEFAULT_BACKEND, log_to_driver=False, _observer=True)
    except (ConnectionError, RayError, RuntimeError, ValueError) as error:
        raise CommandFailedError(str(error)) from error
    try:
        yield
    except (RayError, RayStateApiException) as error:
        raise CommandFailedError(str(error)) from error
    finally:
        raysim.shutdown()
