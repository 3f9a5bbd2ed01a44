"""Pictures as PNG, for what shows no SVG. Never draws: it takes the SVG files that pictures leaves."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

DENSITY: Final = 2
"""Pixels for each of the SVG's, each way: sharp at the width of a column of a paper."""

_PROPERTY: Final = re.compile(r"--([\w-]+):\s*([^;]+);")
_USE: Final = re.compile(r"var\(--([\w-]+)(?:,[^)]*)?\)")
_DARK: Final = re.compile(r"@media[^{]*\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}")


class MissingResvgError(ImportError):
    """Its text says what to install."""


def write_pngs(pictures: Iterable[Path]) -> list[Path]:
    """Each of these SVG files as a PNG beside it, as it is by day. Raises MissingResvgError, OSError."""
    try:
        import resvg_py
    except ImportError as error:
        text = (
            "needs resvg_py, which is not installed: pip install 'raysim-core[png]'. "
            "--figures writes the same as SVG."
        )
        raise MissingResvgError(text) from error
    written = []
    for picture in pictures:
        svg = by_day(picture.read_text("utf-8"))
        image = resvg_py.svg_to_bytes(svg_string=svg, background="#ffffff", zoom=DENSITY)
        path = picture.with_suffix(".png")
        path.write_bytes(image)
        written.append(path)
    return written


def by_day(svg: str) -> str:
    """With the colours themselves in place of their names, which only browsers know, and no others for the dark."""
    light = _DARK.sub("", svg)
    named = dict(_PROPERTY.findall(light))
    return _USE.sub(lambda use: named[use[1]], _PROPERTY.sub("", light))
