"""A mean and its interval from one long run of a queue, with the known means of its input as control variates.

Successive waits are so alike that a plain mean needs tens of millions of tasks. But what came in is known exactly:
how far each service and each gap were from their means. A task's surprise, times anything that was decided before
it, has a mean of zero whatever the cluster makes of it: martingale control variates (Henderson and Glynn, Mathematics
of Operations Research 27(2), 2002). The multipliers are those of the work found on arrival; a change of what is
found over a batch has a mean of zero as well, once the run is past its beginning. Regression over batches takes out
what they explain, so the estimate stays one of what the cluster did, with an interval 10 to 100 times as narrow.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.float64]

BATCHES: Final = 50
WARM_UP: Final = 0.1
"""Of the tasks, the first ones: the cluster was empty before them."""

HINGES: Final = (0.0, 1.0)
"""Work per server above which multipliers grow: at about 1 all servers are busy."""


@dataclass(frozen=True)
class Input:
    """What came in, and its means. The service's mean is 1."""

    gaps: Column
    services: Column
    mean_gap: float
    scv: float
    """Squared coefficient of variation of the service times."""
    servers: int = 1


@dataclass(frozen=True)
class Estimate:
    mean: float
    error: float
    """Its standard error."""
    freedom: int

    def half_width(self, confidence: float) -> float:
        z = NormalDist().inv_cdf(0.5 + confidence / 2)
        return self.error * (z + (z**3 + z) / (4 * self.freedom))  # Student's t, to first order.


def work_found(came: Column, ended: Column, services: Column) -> Column:
    """Of each task, the work that was in the system when it came; no task was interrupted."""
    begun, done = np.sort(ended - services), np.sort(ended)
    running, over = np.searchsorted(begun, came), np.searchsorted(done, came)
    began_at = np.append(0, np.cumsum(begun))[running]
    ended_at = np.append(0, np.cumsum(done))[over]
    served = came * (running - over) - began_at + ended_at
    found: Column = np.append(0, np.cumsum(services)[:-1]) - served
    return found


def work_of_one_server(gaps: Column, services: Column) -> Column:
    """The same of one server that is never idle while there is work, in whatever order, also if it interrupts."""
    found = np.zeros(len(gaps))
    for index in range(1, len(gaps)):
        found[index] = max(0.0, found[index - 1] + services[index - 1] - gaps[index])
    return found


def estimate(values: Column, given: Input, found: Column) -> Estimate:
    """The mean of `values`, one for each task; `found`: the work in the system when it came."""
    controls = _controls(given, found)
    skipped = int(len(values) * WARM_UP)
    size = (len(values) - skipped) // BATCHES
    part = slice(skipped, skipped + size * BATCHES)
    y = values[part].reshape(BATCHES, size).mean(axis=1)
    x = controls[part].reshape(BATCHES, size, -1).mean(axis=1)
    x = x[:, x.any(axis=0)]  # Of constant services, nothing surprises.
    x = x / x.std(axis=0)
    design = np.hstack([np.ones((BATCHES, 1)), x])
    fitted, _, rank, _ = np.linalg.lstsq(design, y, rcond=None)
    left = y - design @ fitted
    freedom = BATCHES - int(rank)
    variance = float(left @ left) / freedom * np.linalg.pinv(design.T @ design)[0, 0]
    return Estimate(float(fitted[0]), float(np.sqrt(variance)), freedom)


def _controls(given: Input, found: Column) -> Column:
    """A column for each, of mean zero. `step`: what a task and the gap behind it add to the work per server."""
    c, mean_gap = given.servers, given.mean_gap
    gaps = np.append(given.gaps[1:], mean_gap)
    service, gap = given.services - 1, gaps - mean_gap
    step = service / c - gap
    square = (given.services / c - gaps) ** 2
    square -= given.scv / c**2 + mean_gap**2 + (1 / c - mean_gap) ** 2
    columns = [service, gap, square]
    for hinge in HINGES:
        above = np.maximum(found / c - hinge, 0)
        more = np.append(above[1:] ** 2 - above[:-1] ** 2, 0)
        columns += [2 * above * step + (above > 0) * square, (above > 0) * step, more]
    return np.stack(columns, axis=1)
