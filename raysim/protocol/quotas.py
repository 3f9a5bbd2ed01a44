"""What counts of a job's quota, and what can never be within it. Who has how much: see gcs.quotas, raylet.quotas."""

from collections.abc import Mapping

from raysim.spec.resources import Resources, describe, fits


def counted(need: Mapping[str, int], quota: Mapping[str, int]) -> Resources:
    """A quota counts the resources that it names, and no others."""
    return {name: units for name, units in need.items() if units and name in quota}


def beyond(what: str, need: Mapping[str, int], quota: Mapping[str, int]) -> str:
    """Why `what` can never be; empty: it can."""
    wanted = counted(need, quota)
    if fits(wanted, quota):
        return ""
    return (
        f"{what} needs {describe(wanted)}, and its job's quota is {describe(quota)}. Ask for less, or give the job a "
        "larger quota."
    )
