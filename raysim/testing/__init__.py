"""Looks for bugs with the simulator: campaigns over seeds, failures that replay and shrink. Never in production.

Names are imported when they are first used: the pytest plugin is loaded where no test may need them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from raysim.testing.histories import History as History
    from raysim.testing.linearizability import NotLinearizableError as NotLinearizableError
    from raysim.testing.linearizability import check_linearizable as check_linearizable
    from raysim.testing.orders import queue_order_suite as queue_order_suite
    from raysim.testing.policies import PolicyError as PolicyError
    from raysim.testing.policies import policy_suite as policy_suite
    from raysim.testing.properties import PropertyError as PropertyError
    from raysim.testing.properties import always as always
    from raysim.testing.properties import eventually as eventually
    from raysim.testing.properties import reachable as reachable
    from raysim.testing.properties import sometimes as sometimes
    from raysim.testing.simulated_test import simulate as simulate
    from raysim.testing.simulation import simulated as simulated

_HOMES = {
    "check_linearizable": "raysim.testing.linearizability",
    "NotLinearizableError": "raysim.testing.linearizability",
    "History": "raysim.testing.histories",
    "PolicyError": "raysim.testing.policies",
    "policy_suite": "raysim.testing.policies",
    "queue_order_suite": "raysim.testing.orders",
    "PropertyError": "raysim.testing.properties",
    "always": "raysim.testing.properties",
    "eventually": "raysim.testing.properties",
    "reachable": "raysim.testing.properties",
    "simulate": "raysim.testing.simulated_test",
    "simulated": "raysim.testing.simulation",
    "sometimes": "raysim.testing.properties",
}
"""Where each name is defined."""

__all__ = [
    "History",
    "NotLinearizableError",
    "PolicyError",
    "PropertyError",
    "always",
    "check_linearizable",
    "eventually",
    "policy_suite",
    "queue_order_suite",
    "reachable",
    "simulate",
    "simulated",
    "sometimes",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'raysim.testing' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
