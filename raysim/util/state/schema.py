"""What the classes of `raysim.util.state` share: columns, which are attributes and items. Never a value."""

from collections.abc import Callable
from dataclasses import asdict, field, fields
from datetime import datetime, timedelta
from typing import Any, ClassVar


class Humanify:
    """Values of columns as people read them."""

    @staticmethod
    def timestamp(ms: float) -> str:
        """Local time."""
        return str(datetime.fromtimestamp(ms / 1000))  # noqa: DTZ006  (as Ray shows it)

    @staticmethod
    def memory(size: int) -> str:
        """`1.500 KiB`."""
        for unit, power in (("GiB", 30), ("MiB", 20), ("KiB", 10)):
            if size >= 2**power:
                return f"{size / 2**power:.3f} {unit}"
        return f"{size:.3f} B"

    @staticmethod
    def duration(ms: float) -> str:
        return str(timedelta(milliseconds=ms))

    @staticmethod
    def events(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [
            {**event, "created_ms": Humanify.timestamp(event["created_ms"])}
            if "created_ms" in event
            else event
            for event in events
        ]

    @staticmethod
    def amounts(resources: dict[str, float]) -> str:
        """`CPU=4, memory=1.500 GiB`."""
        shown = Humanify.node_resources(resources)
        return ", ".join(
            f"{name}={value}" if isinstance(value, str) else f"{name}={value:g}"
            for name, value in shown.items()
        )

    @staticmethod
    def node_resources(resources: dict[str, Any]) -> dict[str, Any]:
        return {
            name: Humanify.memory(value) if "memory" in name else value
            for name, value in resources.items()
        }


def state_column(
    *,
    filterable: bool,
    detail: bool = False,
    format_fn: Callable[[Any], Any] | None = None,
    words: tuple[str, ...] = (),
) -> Any:
    """A column. `detail`: only shown when details are asked for; `words`: the values that it can have."""
    metadata = {"detail": detail, "filterable": filterable, "format_fn": format_fn, "words": words}
    return field(default=None, metadata=metadata)


class StateSchema:
    """One thing of the cluster; a dataclass of columns, which are items as well: `row.state`, `row["state"]`."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @classmethod
    def humanify(cls, state: dict[str, Any]) -> dict[str, Any]:
        """The same columns, for people."""
        for column in fields(cls):
            shown = column.metadata.get("format_fn")
            if shown is not None and state.get(column.name) is not None:
                state[column.name] = shown(state[column.name])
        return state

    @classmethod
    def list_columns(cls, detail: bool = True) -> list[str]:
        return [f.name for f in fields(cls) if detail or not f.metadata.get("detail", False)]

    @classmethod
    def columns(cls) -> set[str]:
        return set(cls.list_columns(detail=True))

    @classmethod
    def filterable_columns(cls) -> set[str]:
        return {f.name for f in fields(cls) if f.metadata.get("filterable", False)}

    @classmethod
    def base_columns(cls) -> set[str]:
        """Those that are shown without details."""
        return set(cls.list_columns(detail=False))

    @classmethod
    def detail_columns(cls) -> set[str]:
        return set(cls.list_columns(detail=True))

    @classmethod
    def words(cls, column: str) -> tuple[str, ...]:
        """The values that a column can have; none where it can have any."""
        return next((f.metadata.get("words", ()) for f in fields(cls) if f.name == column), ())

    def asdict(self) -> dict[str, Any]:
        return asdict(self)

    def __getitem__(self, key: str) -> Any:
        return getattr(self, key)

    def __setitem__(self, key: str, value: Any) -> None:
        setattr(self, key, value)

    def get(self, key: str, default: Any = None) -> Any:
        return getattr(self, key, default)


def filter_fields(
    data: dict[str, Any], state_dataclass: type[StateSchema], detail: bool
) -> dict[str, Any]:
    """The columns that are shown; None for one that the row lacks."""
    return {column: data.get(column) for column in state_dataclass.list_columns(detail=detail)}
