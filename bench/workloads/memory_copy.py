"""The machine's own memcpy: what a put of gigabytes is held against. Never a process beside this one."""

from typing import Any, ClassVar

import numpy as np

from bench.operation import Operation
from bench.workloads import Contender, Lines, objects


def copy(source: Any) -> Operation:
    """Into pages that are there already, as those of a store that is in use."""
    target = objects.touched(source.size)
    return Operation(lambda: np.copyto(target, source), source.nbytes / 1e9)


class MemoryCopy(Contender):
    lines: ClassVar[Lines] = {
        "single client put gigabytes": lambda w: copy(
            np.zeros(w.scaled(objects.LARGE), dtype=np.int64)
        ),
        "put gigabytes, touched": lambda w: copy(objects.touched(w.scaled(objects.LARGE))),
    }
