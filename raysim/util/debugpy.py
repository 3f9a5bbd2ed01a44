"""A debugger of an editor, by the library debugpy, which has to be there. Never another one: see rpdb.

Ray: `ray.util.ray_debugpy`.
"""

import logging
import os
import sys
from importlib import import_module
from types import FrameType
from typing import Any, Final

from raysim.util.node import get_node_ip_address

OLDEST: Final = (1, 8)

logger = logging.getLogger(__name__)

_port: dict[int, int] = {}
"""Where this process listens, by its pid: a fork listens nowhere yet."""


def set_trace(breakpoint_uuid: Any = None) -> None:
    """Stop here for an editor that attaches. Without debugpy it says so in the log, and goes on, as Ray does."""
    interrupt(sys._getframe(1))


def interrupt(frame: FrameType) -> None:
    """Stop in this frame."""
    if _attached():
        import_module("pydevd").settrace(stop_at_frame=frame)


def _post_mortem() -> None:
    """Look at the exception that is being handled."""
    if not _attached():
        return
    debugger = import_module("pydevd").get_global_debugger()
    thread = import_module("threading").current_thread()
    about = debugger.set_additional_thread_info(thread)
    about.is_tracing += 1
    try:
        debugger.stop_on_unhandled_exception(debugger, thread, about, sys.exc_info())
    finally:
        about.is_tracing -= 1


def _attached() -> bool:
    """Waits until an editor is there. False: there is no debugpy."""
    debugpy = _imported()
    if debugpy is None:
        return False
    pid = os.getpid()
    if pid not in _port:
        host, _port[pid] = debugpy.listen((get_node_ip_address(), 0))
        logger.warning("The debugger listens on %s:%s", host, _port[pid])
    debugpy.wait_for_client()
    return True


def _imported() -> Any:
    try:
        debugpy = import_module("debugpy")
    except ImportError:
        debugpy = None
    version = getattr(debugpy, "__version__", "0")
    if tuple(int(part) for part in version.split(".")[:2]) >= OLDEST:
        return debugpy
    logger.error(
        "Module 'debugpy>=1.8.0' cannot be loaded, so nothing stops here. Install it, or set RAY_DEBUG=legacy "
        "for a debugger at a socket."
    )
    return None
