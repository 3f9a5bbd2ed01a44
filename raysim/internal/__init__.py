"""What Ray kept for those who know what they do: `free`, `memory_summary`. Never needed by ordinary programs."""

from raysim.api.objects import free
from raysim.internal.memory import memory_summary

__all__ = ["free", "memory_summary"]
