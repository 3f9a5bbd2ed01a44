"""Operations of collective nodes, and where tensors may be. Never computes one. Ray: `ray.experimental.util.types`."""

from enum import Enum

import msgspec


class ReduceOp(Enum):
    """What becomes of the values of all actors, element by element. Numbers are Ray's."""

    SUM = 0
    PRODUCT = 1
    MAX = 2
    MIN = 3
    AVG = 4

    def __str__(self) -> str:
        return f"ReduceOp.{self.name}"


class _CollectiveOp(msgspec.Struct, frozen=True):
    pass


class AllGatherOp(_CollectiveOp, frozen=True):
    pass


class AllReduceOp(_CollectiveOp, frozen=True):
    reduceOp: ReduceOp = ReduceOp.SUM  # Ray's spelling.


class ReduceScatterOp(_CollectiveOp, frozen=True):
    reduceOp: ReduceOp = ReduceOp.SUM


class Device(Enum):
    """Where a reader gets its tensors: raysim leaves them in memory."""

    DEFAULT = "default"
    CPU = "cpu"
    GPU = "gpu"
    CUDA = "cuda"

    def __str__(self) -> str:
        return self.value
