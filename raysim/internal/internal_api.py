"""`free` and `memory_summary` under the names that Ray gave them. Never a definition."""

from raysim.api.objects import free
from raysim.internal.memory import memory_summary

__all__ = ["free", "memory_summary"]
