"""What every message is. Never a handler."""

from typing import dataclass_transform

import msgspec


@dataclass_transform(frozen_default=True, field_specifiers=(msgspec.field,))
class Message(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=True):
    """Something one process says to another. Encoded by msgspec with its class name as the tag.

    Each message's docstring gives its direction, its reply, and what its loss means. A message may
    arrive twice; between two live processes messages keep their order unless the connection breaks.
    """
