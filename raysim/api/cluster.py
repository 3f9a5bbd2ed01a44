"""The state of the cluster: nodes and resources. Never changes it."""

from typing import Any

from raysim.api.session import connected


def nodes() -> list[dict[str, Any]]:
    """Every node that ever was, dead ones included: NodeID, Alive, NodeName, Resources, Labels ...

    Raises RaySystemError before init().
    """
    return connected().nodes()


def cluster_resources() -> dict[str, float]:
    """What the live nodes have in all. Raises RaySystemError before init()."""
    return connected().cluster_resources()


def available_resources() -> dict[str, float]:
    """What is free now; what is used up is absent. Behind the truth by up to a report period.

    Raises RaySystemError before init().
    """
    return connected().available_resources()
