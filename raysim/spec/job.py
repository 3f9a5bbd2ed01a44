"""What holds for all calls of a job, wherever they run: part of the text of their environment. Never applied here.

See `raysim.spec.runtime_env`: workers are told apart by that text, so that each belongs to one way of logging.
"""

import msgspec

FIELD = "_job"
"""Of the text. People are not shown it."""


class Logging(msgspec.Struct, frozen=True, omit_defaults=True):
    """How the root logger of a process writes. Ray: `LoggingConfig`."""

    encoding: str = "TEXT"
    log_level: str = "INFO"
    additional_log_standard_attrs: list[str] = []


class JobSettings(msgspec.Struct, frozen=True, omit_defaults=True):
    """Ray: `JobConfig`."""

    detached: bool = False
    """What actors are whose `lifetime` is not given. Ray: `default_actor_lifetime`."""
    logging: Logging | None = None
    """None: the program's own affair."""
    user: str = ""
    """Whose turns its tasks take, where they do not say; empty: its own. In metadata: `raysim.io/user`."""
    priority: int = 0
    """Of its tasks, where they do not say; higher comes first. In metadata: `raysim.io/priority`."""
    quota: dict[str, int] = {}
    """Resource to what it may have of it in the whole cluster at once, in units of 1e-4; the others as they come."""
