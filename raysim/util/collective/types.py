"""Names of reductions and of backends. Never computes one."""

from enum import Enum

UNSET_TIMEOUT_MS = 30_000
"""How long one operation waits for the other ranks. Ray: `gloo_timeout`."""


class ReduceOp(Enum):
    """What becomes of the values of all ranks, element by element."""

    SUM = 0
    PRODUCT = 1
    MIN = 2
    MAX = 3


class Backend:
    """`Backend("gloo")` gives the name in Ray's spelling. Raises ValueError for what is not there."""

    NCCL = "NCCL"
    GLOO = "GLOO"
    UNRECOGNIZED = "unrecognized"

    def __new__(cls, name: str) -> str:  # type: ignore[misc]  # As in Ray: it makes strings.
        known = str(name).upper()
        if known in (cls.GLOO, "TORCH_GLOO"):
            return cls.GLOO
        if known == cls.NCCL:
            raise ValueError(
                "The collective backend NCCL needs GPUs and is not supported by raysim. "
                'Pass backend="gloo": arrays in memory.'
            )
        raise ValueError(f"Unrecognized collective backend {name!r}. There is: 'gloo'.")
