"""`LoggingConfig` as users give it to `init`. Never applied here: see `raysim.runtime.logs`."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from raysim.runtime.logs import ENCODINGS, STANDARD
from raysim.spec.job import Logging


@dataclass
class LoggingConfig:
    """How the root loggers of a job's driver and of its workers write. Ray: `ray.LoggingConfig`.

    `encoding`: TEXT or JSON. `log_level`: a level's name. `additional_log_standard_attrs`: names of attributes
    of Python's log records that lines have besides the usual ones. Raises ValueError for what there is not.
    """

    encoding: str = "TEXT"
    log_level: str = "INFO"
    additional_log_standard_attrs: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.encoding not in ENCODINGS:
            raise ValueError(
                f"Invalid encoding type: {self.encoding}. Valid encoding types are: {list(ENCODINGS)}"
            )
        for attr in self.additional_log_standard_attrs:
            if attr not in STANDARD:
                raise ValueError(
                    f"Unknown python logging standard attribute: {attr}. "
                    f"The valid attributes are: {sorted(STANDARD)}"
                )

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, d: Mapping[str, Any]) -> "LoggingConfig":
        """Unknown keys are ignored."""
        known = {one.name for one in fields(cls)}
        return cls(**{name: value for name, value in d.items() if name in known})

    def settings(self) -> Logging:
        """As it travels to workers."""
        return Logging(self.encoding, self.log_level, list(self.additional_log_standard_attrs))
