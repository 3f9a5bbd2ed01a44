"""`datetime` and the broken-down times of `time`, in virtual time. Never puts itself in place: see virtual_time.

`date.today` and `datetime.today` ask `time.time`, which is virtual already. `datetime.now` and `utcnow` read
the clock in C, and so do `localtime` and its like where they are given no moment.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from typing import Any, TypeAlias

Now: TypeAlias = Callable[[], int | None]
"""Nanoseconds of the wall clock for the code that called the function which asks; None: it sees the real one."""


def of_datetime(now_ns: Now) -> list[tuple[str, Any]]:
    """Names of class methods of `datetime`, and what stands there while a world runs."""
    real_now, real_utcnow = vars(datetime)["now"], vars(datetime)["utcnow"]

    def now(cls: type[datetime], tz: tzinfo | None = None) -> Any:
        at_ns = now_ns()
        if at_ns is None:
            return real_now.__get__(None, cls)(tz)
        return cls.fromtimestamp(at_ns // 1_000 / 1e6, tz)

    def utcnow(cls: type[datetime]) -> Any:
        at_ns = now_ns()
        if at_ns is None:
            return real_utcnow.__get__(None, cls)()
        return cls.fromtimestamp(at_ns // 1_000 / 1e6, UTC).replace(tzinfo=None)

    return [("now", classmethod(now)), ("utcnow", classmethod(utcnow))]


def of_time(now_ns: Now) -> list[tuple[str, Callable[..., Any]]]:
    """Names of functions of `time` whose last argument is the present if it is left out."""
    return [
        ("gmtime", _at(time.gmtime, now_ns)),
        ("localtime", _at(time.localtime, now_ns)),
        ("ctime", _at(time.ctime, now_ns)),
        ("asctime", _shown(time.asctime, time.localtime, now_ns)),
        ("strftime", _formatted(time.strftime, time.localtime, now_ns)),
    ]


def _at(real: Callable[..., Any], now_ns: Now) -> Callable[..., Any]:
    def function(seconds: float | None = None, /) -> Any:
        at_ns = now_ns() if seconds is None else None
        return real(seconds if at_ns is None else at_ns / 1e9)

    return function


def _shown(
    real: Callable[..., Any], local: Callable[[float], Any], now_ns: Now
) -> Callable[..., Any]:
    def asctime(*moment: Any) -> Any:
        at_ns = None if moment else now_ns()
        return real(*moment) if at_ns is None else real(local(at_ns / 1e9))

    return asctime


def _formatted(
    real: Callable[..., Any], local: Callable[[float], Any], now_ns: Now
) -> Callable[..., Any]:
    def strftime(form: str, /, *moment: Any) -> Any:
        at_ns = None if moment else now_ns()
        return real(form, *moment) if at_ns is None else real(form, local(at_ns / 1e9))

    return strftime
