"""Ray's numbers for what a process is. Never read here: programs compare with them."""

from typing import Final

SCRIPT_MODE: Final = 0
"""A driver."""

WORKER_MODE: Final = 1
"""A process that runs tasks or an actor."""
