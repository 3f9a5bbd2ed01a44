"""`multiprocessing.Pool` over the nodes of a cluster. Never a process of its own: see `pool`."""

from multiprocessing import JoinableQueue, TimeoutError  # noqa: A004  (the standard module's names)

from raysim.util.multiprocessing.pool import Pool

__all__ = ["JoinableQueue", "Pool", "TimeoutError"]
