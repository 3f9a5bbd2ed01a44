"""The role that knows the whole cluster: nodes, jobs, actors. Never on the way of a task's call."""

from raysim.protocol.gcs.gcs import Gcs

__all__ = ["Gcs"]
