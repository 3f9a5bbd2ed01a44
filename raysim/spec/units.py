"""Durations, sizes, bandwidths and plain numbers as people write them. Never reads a clock, never guesses a unit.

Inside raysim a time is an integer of nanoseconds, a size an integer of bytes and a bandwidth an
integer of bytes per second. A duration without a unit is refused, because `5` reads as seconds to
some and as milliseconds to others; a size without a unit is bytes.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import Final

NANOSECONDS: Final[dict[str, int]] = {
    "ns": 1,
    "us": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
}
"""Nanoseconds in each unit of time."""

BYTES: Final[dict[str, int]] = {
    "B": 1,
    "kB": 1_000,
    "MB": 1_000_000,
    "GB": 1_000_000_000,
    "TB": 1_000_000_000_000,
    "KiB": 1 << 10,
    "MiB": 1 << 20,
    "GiB": 1 << 30,
    "TiB": 1 << 40,
}
"""Bytes in each unit of size: decimal as in IEC 80000-13's kB, binary as in its KiB."""

BITS: Final[dict[str, int]] = {
    "bit": 1,
    "kbit": 1_000,
    "Mbit": 1_000_000,
    "Gbit": 1_000_000_000,
    "Tbit": 1_000_000_000_000,
}
"""Bits in each unit of a line rate. Networks count in decimal units."""

_ALIASES: Final[dict[str, str]] = {"µs": "us", "μs": "us", "min": "m", "KB": "kB", "bytes": "B"}
_NUMBER: Final = r"\d+(?:\.\d+)?"
_PART: Final = re.compile(rf"({_NUMBER})([A-Za-zµμ]+)")
_WHOLE: Final = re.compile(rf"\s*({_NUMBER})\s*([^\d\s]*)\s*")


def parse_duration(text: str) -> int:
    """Nanoseconds in a duration such as `1m30s`, `500ms` or `1.5h`; `0` needs no unit.

    Raises ValueError that says what is wrong and what was probably meant.
    """
    stripped = text.strip()
    if stripped == "0":
        return 0
    if re.fullmatch(_NUMBER, stripped):
        raise ValueError(f"duration {stripped!r} has no unit; did you mean {stripped}s?")
    total = Fraction(0)
    end = 0
    for part in _PART.finditer(stripped):
        if part.start() != end:
            break
        total += Fraction(part[1]) * _factor(part[2], NANOSECONDS, "duration", stripped)
        end = part.end()
    if end == 0 or end != len(stripped):
        raise ValueError(f"{text!r} is not a duration; write it as 1m30s, 500ms or 1.5h")
    return round(total)


def parse_size(text: str) -> int:
    """Bytes in a size such as `30GiB`, `1.5 MB` or `4096`.

    Raises ValueError that says what is wrong and what was probably meant.
    """
    whole = _WHOLE.fullmatch(text)
    if whole is None:
        raise ValueError(f"{text!r} is not a size; write it as 30GiB, 500MB or a number of bytes")
    if not whole[2]:
        return round(Fraction(whole[1]))
    return round(Fraction(whole[1]) * _factor(whole[2], BYTES, "size", text.strip()))


def parse_bandwidth(text: str) -> int:
    """Bytes per second in a bandwidth such as `10Gbit/s` or `1.25GB/s`.

    Raises ValueError that says what is wrong and what was probably meant.
    """
    whole = _WHOLE.fullmatch(text)
    amount, slash, per = whole[2].partition("/") if whole else ("", "", "")
    if whole is None or not slash or per != "s":
        raise ValueError(f"{text!r} is not a bandwidth; write it as 10Gbit/s or 1.25GB/s")
    number = Fraction(whole[1])
    if amount in BITS:
        bytes_per_s = number * BITS[amount] / 8
    else:
        bytes_per_s = number * _factor(amount, BYTES, "bandwidth", text.strip(), also=tuple(BITS))
    if bytes_per_s < 1:
        raise ValueError(f"bandwidth {text!r} is below one byte per second; nothing would arrive")
    return round(bytes_per_s)


def parse_number(text: str) -> float:
    """A number such as `2.5`; NaN where the text is none: it lies within no bounds that the reader sets."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def parse_share(text: str) -> float:
    """As `parse_number`, also of percent: `5%` is 0.05."""
    return parse_number(text[:-1]) / 100 if text.endswith("%") else parse_number(text)


def format_duration(ns: int) -> str:
    """A duration as a person reads it: `1h02m`, `1m30s`, `21.1s`, `350ms`. Three figures or so."""
    if ns < 0:
        return "-" + format_duration(-ns)
    for unit in ("ns", "us", "ms"):
        scale = NANOSECONDS[unit]
        if ns < 1_000 * scale and ns < NANOSECONDS["s"]:
            return f"{_short(ns / scale)}{unit}"
    if ns < NANOSECONDS["m"]:
        return f"{_short(ns / NANOSECONDS['s'])}s"
    minutes, seconds = divmod(round(ns / NANOSECONDS["s"]), 60)
    if minutes < 60:
        return f"{minutes}m{seconds:02d}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02d}m"


def format_size(size_bytes: int) -> str:
    """A size as a person reads it, in decimal units: `439 MB`, `1.5 GB`, `12 B`."""
    if size_bytes < 0:
        return "-" + format_size(-size_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if size_bytes < 1_000 * BYTES[unit]:
            return f"{_short(size_bytes / BYTES[unit])} {unit}"
    return f"{_short(size_bytes / BYTES['TB'])} TB"


def _short(value: float) -> str:
    """Three figures, no exponent, no trailing zeros."""
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}"


def _factor(
    unit: str, units: dict[str, int], noun: str, text: str, also: tuple[str, ...] = ()
) -> int:
    factor = units.get(_ALIASES.get(unit, unit))
    if factor is not None:
        return factor
    meant = _nearest_unit(unit, (*units, *also))
    hint = f"did you mean {meant}?" if meant else f"known are {', '.join((*units, *also))}"
    raise ValueError(f"{noun} {text!r} has the unknown unit {unit!r}; {hint}")


def _nearest_unit(unit: str, known: tuple[str, ...]) -> str | None:
    """The known unit that differs only by case, that it begins, or that is spelt most alike."""
    folded = {name.lower(): name for name in reversed(known)}
    if unit.lower() in folded:
        return folded[unit.lower()]
    for length in (len(unit), 1):
        for name in known:
            if name.lower().startswith(unit.lower()[:length]) and length <= len(unit):
                return name
    from difflib import get_close_matches  # Only mistakes need it.

    close = get_close_matches(unit.lower(), folded, n=1)
    return folded[close[0]] if close else None
