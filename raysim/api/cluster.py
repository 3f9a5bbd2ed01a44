"""The state of the cluster: nodes and resources. Never changes it."""

import json
from typing import Any

from raysim.api.session import connected
from raysim.runtime.current import current


def nodes() -> list[dict[str, Any]]:
    """Every node that ever was, dead ones included: NodeID, Alive, NodeName, Resources, Labels ...

    Raises RaySystemError before init().
    """
    return connected().nodes()


def timeline(filename: str | None = None) -> list[dict[str, Any]] | None:
    """What ran when and where, as events that Chrome's tracing and Perfetto show; or None, and a file of them.

    Of the calls of the cluster that have ended: the newest 200,000 of each process, with an arrow to each from the
    call that submitted it. Times are microseconds of the world's clock. Raises RuntimeError before init() (as Ray
    does, here alone), RaySystemError in tasks where they cannot know.
    """
    backend = current()
    if backend is None:
        raise RuntimeError(
            "raysim has not been started yet, and a timeline is a session's: call init() first."
        )
    events = backend.timeline()
    if filename is None:
        return events
    with open(filename, "w", encoding="utf-8") as file:
        json.dump(events, file)
    return None


def cluster_resources() -> dict[str, float]:
    """What the live nodes have in all. Raises RaySystemError before init()."""
    return connected().cluster_resources()


def available_resources() -> dict[str, float]:
    """What is free now; what is used up is absent. Behind the truth by up to a report period.

    Raises RaySystemError before init().
    """
    return connected().available_resources()
