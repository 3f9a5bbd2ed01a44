"""What Ray kept for those who know what they do: `free`. Never needed by ordinary programs."""

from raysim.api.objects import free

__all__ = ["free"]
