"""`multiprocessing.Pool` over the nodes of a cluster. Never a process of its own: see `pool`."""

from multiprocessing import JoinableQueue, TimeoutError

from raysim.util.multiprocessing.pool import Pool

__all__ = ["JoinableQueue", "Pool", "TimeoutError"]
