"""`log_once`: whether a message with this key is still to be logged. Never logs it."""

import time  # noqa: TID251  (the process's own clock: it is asked outside of sessions too)

PERIOD_S = 60.0
"""Seconds after which everything may be logged again, once `enable_periodic_logging` was called."""

_logged: set[str] = set()
_disabled = False
_periodic = False
_since = 0.0


def log_once(key: str) -> bool:
    """True the first time for each key in this process; False from then on. Ray: `log_once`."""
    global _since
    if _disabled:
        return False
    now = time.monotonic()
    if _periodic and now - _since > PERIOD_S:
        _logged.clear()
        _since = now
    if key in _logged:
        return False
    _logged.add(key)
    return True


def disable_log_once_globally() -> None:
    """From now on `log_once` says False."""
    global _disabled
    _disabled = True


def enable_periodic_logging() -> None:
    """Each key again about once a minute."""
    global _periodic
    _periodic = True


def reset_log_once(key: str | None = None) -> None:
    """Forget one key, or all of them."""
    if key is None:
        _logged.clear()
    else:
        _logged.discard(key)
