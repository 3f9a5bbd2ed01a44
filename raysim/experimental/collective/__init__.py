"""Collective operations between the actors of a graph: `allreduce.bind([...])`. Ray: `ray.experimental.collective`."""

from raysim.experimental.collective.operations import allgather, allreduce, reducescatter

__all__ = ["allgather", "allreduce", "reducescatter"]
