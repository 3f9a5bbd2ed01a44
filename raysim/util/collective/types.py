"""Names of reductions and of backends, and the options of each operation. Never computes one.

Ray: `ray.util.collective.types`.
"""

from datetime import timedelta
from enum import Enum
from typing import Final

import msgspec

UNSET_TIMEOUT_MS = 30_000
"""How long one operation waits for the other ranks. Ray: `gloo_timeout`."""

unset_timeout_ms: Final = timedelta(milliseconds=-1)
"""The group's own."""


class ReduceOp(Enum):
    """What becomes of the values of all ranks, element by element."""

    SUM = 0
    PRODUCT = 1
    MIN = 2
    MAX = 3


class Backend:
    """`Backend("gloo")` gives the name in Ray's spelling. Raises ValueError for what is not there.

    `register_collective_backend` adds names.
    """

    NCCL = "NCCL"
    GLOO = "GLOO"
    UNRECOGNIZED = "unrecognized"

    def __new__(cls, name: str) -> str:  # type: ignore[misc]  # As in Ray: it makes strings.
        known = str(name).upper()
        if known == "TORCH_GLOO":
            return cls.GLOO
        if known == cls.NCCL:
            raise ValueError(
                "The collective backend NCCL needs GPUs and is not supported by raysim. "
                'Pass backend="gloo": arrays in memory.'
            )
        if known == "UNRECOGNIZED" or getattr(cls, known, None) != known:
            raise ValueError(
                f"Unrecognized collective backend {name!r}. There is 'gloo'; others are added by "
                "register_collective_backend()."
            )
        return known


class _Options(msgspec.Struct):
    timeout_ms: timedelta = unset_timeout_ms


class AllReduceOptions(_Options):
    reduceOp: ReduceOp = ReduceOp.SUM  # Ray's spelling.


class BarrierOptions(_Options):
    pass


class ReduceOptions(_Options):
    reduceOp: ReduceOp = ReduceOp.SUM
    root_rank: int = 0
    root_tensor: int = 0
    """Which of its tensors."""


class AllGatherOptions(_Options):
    pass


class BroadcastOptions(_Options):
    root_rank: int = 0
    root_tensor: int = 0
    """Which of its tensors."""


class ReduceScatterOptions(_Options):
    reduceOp: ReduceOp = ReduceOp.SUM


class SendOptions(_Options):
    dst_rank: int = 0
    dst_gpu_index: int = 0
    n_elements: int = 0
    """From the first on; 0: all."""


class RecvOptions(_Options):
    src_rank: int = 0
    src_gpu_index: int = 0
    n_elements: int = 0
    """From the first on; 0: all."""
