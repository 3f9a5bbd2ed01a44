"""Classes that travel by value belong to the process that unpickled them. Never those that are imported.

cloudpickle knows the classes of its process by an id that travels with them, so that one class unpickled twice
is one class. All simulated processes are one process to it: without this, a task that changes an attribute of
a class would change the driver's class.
"""

from typing import TYPE_CHECKING, Any, Final
from weakref import WeakValueDictionary

from cloudpickle import cloudpickle as tracker

if TYPE_CHECKING:
    from raysim_sim.user_host import UserHost

_BY_ID: Final = "_DYNAMIC_CLASS_TRACKER_BY_ID"


class Classes:
    """What is known by its id is what the process whose code runs has unpickled."""

    def __init__(self) -> None:
        self._driver: Any = getattr(tracker, _BY_ID)

    def enter(self, host: "UserHost") -> None:
        """Its code is about to run."""
        if host.classes is None:
            host.classes = WeakValueDictionary()
        setattr(tracker, _BY_ID, host.classes)

    def leave(self) -> None:
        """Its code waits, or has ended."""
        setattr(tracker, _BY_ID, self._driver)
