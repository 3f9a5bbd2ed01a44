"""The executor: the queue in front of user code. Never runs it: the host does."""

from raysim.protocol.executor.executor import Executor

__all__ = ["Executor"]
