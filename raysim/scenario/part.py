"""What every part of a scenario's model has in common. Never a part itself."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """A part of a scenario: nothing is converted, nothing changes once it is read."""

    model_config = ConfigDict(strict=True, frozen=True, use_attribute_docstrings=True)
