"""Now, and a wait, on the clock of whoever tests: virtual in a simulated cluster, real elsewhere. Never both."""

from __future__ import annotations

import time
from typing import Any

from raysim.api.session import current_world


def simulated_world() -> Any:
    """The simulated cluster of this process, for its driver and for the code of its workers alike; or None."""
    world = current_world()
    return world if world is not None and world.name == "sim" else None


def now_ns() -> int:
    """Nanoseconds since the cluster started, or of the machine's monotonic clock."""
    world = simulated_world()
    # The module's own reading is real: virtual time is for programs, and this is none.
    return time.monotonic_ns() if world is None else int(world.clock.now_ns)


def sleep(seconds: float) -> None:
    world = simulated_world()
    if world is None:
        time.sleep(seconds)
    else:
        world.users.sleep(round(seconds * 1e9))


def who() -> str:
    """Whose code runs: the name of a simulated process, or nothing where there is none."""
    world = simulated_world()
    host = None if world is None else world.users.running
    return "" if host is None else str(host.name)
