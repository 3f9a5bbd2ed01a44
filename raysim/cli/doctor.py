"""`raysim doctor`: what nodes need of this machine, found or not, and what helps. Never looks itself: see services."""

from __future__ import annotations

from typing import Final

import click
import msgspec

from raysim.api.init_options import DEFAULT_BACKEND
from raysim.cli.rows import DOCUMENTS
from raysim.services import Finding, load_services

_WORDS: Final = {"ok": ("ok", None), "note": ("note", "yellow"), "wrong": ("WRONG", "red")}


def doctor_command(address: str | None, port: int, output: str) -> int:
    findings = load_services(DEFAULT_BACKEND).examine(address, port)
    if output == "table":
        click.echo("\n".join(_line(finding) for finding in findings))
    else:
        click.echo(DOCUMENTS[output](msgspec.to_builtins(findings)))
    return int(any(finding.verdict == "wrong" for finding in findings))


def _line(finding: Finding) -> str:
    word, colour = _WORDS[finding.verdict]
    line = f"{click.style(f'{word:<5}', fg=colour)}  {finding.check}: {finding.found}"
    return f"{line}\n       {finding.remedy}" if finding.remedy else line
