"""A Ray cluster behind raysim's API: each call becomes Ray's own call. Never schedules, stores or retries."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from raysim_ray.world import create as create


def __getattr__(name: str) -> Any:
    # Workers import this package too, and need nothing of the driver's side.
    if name == "create":
        from raysim_ray.world import create

        return create
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
