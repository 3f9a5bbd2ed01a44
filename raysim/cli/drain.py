"""Has a node of a running cluster leave in good order. Never ends one itself."""

from __future__ import annotations

import time
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Final

import click

from raysim.cli.connection import BadInputError, CommandFailedError, connected_to
from raysim.spec.units import parse_duration
from raysim.util.node import drain_node
from raysim.util.state import api
from raysim.util.state.states import NodeState

_MOST: Final = 10_000
_LOOK_S: Final = 0.2


def drain_command(wanted: str, reason: str, deadline: str | None, wait: bool, address: str) -> int:
    deadline_s = _seconds(deadline)
    with connected_to(address):
        node = find_node(wanted, api.list_nodes(detail=True, limit=_MOST))
        try:
            drain_node(node.node_id, reason, deadline_s)
        except ValueError as error:
            raise CommandFailedError(str(error)) from error
        click.echo(f"Node {node.node_name} ({node.node_id[:12]}) drains.")
        if wait:
            click.echo(f"It is gone: {_gone(node.node_id)}.")
    return 0


def find_node(wanted: str, nodes: Sequence[NodeState]) -> NodeState:
    """By its name, or by the beginning of its id; of several, the only one that lives."""
    found = [node for node in nodes if node.node_name == wanted]
    found = found or [node for node in nodes if node.node_id.startswith(wanted.lower())]
    found = [node for node in found if node.state != "DEAD"] or found
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(node.node_id[:12] for node in found)
        raise BadInputError(f"{wanted!r} is more than one node: {ids}. Give more of the id.")
    names = sorted({node.node_name for node in nodes if node.state != "DEAD"})
    near = get_close_matches(wanted, names, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(names)}."
    raise CommandFailedError(f"There is no node {wanted!r}; {hint}")


def _seconds(deadline: str | None) -> float | None:
    if deadline is None:
        return None
    try:
        seconds = parse_duration(deadline) / 1e9
    except ValueError as error:
        raise BadInputError(f"--deadline: {error}") from error
    if seconds <= 0:
        raise BadInputError(f"--deadline: {deadline!r} is over at once. Give a time such as 5m.")
    return seconds


def _gone(node_id: str) -> str:
    """Why, once it is."""
    while True:
        node = api.get_node(node_id)
        if node is None or node.state == "DEAD":
            return "" if node is None else node.state_message or ""
        time.sleep(_LOOK_S)
