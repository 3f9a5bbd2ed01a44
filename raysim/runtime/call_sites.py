"""Where the program made each of its references: file, function and line. Never how they are counted.

Off unless asked for (`record_ref_creation_sites`). Where it is on, what makes references is wrapped once, when the
process begins: one where it is off runs the same code as if there were no such thing.
"""

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType
from typing import Any, Final, TypeVar

from raysim.runtime.object_ref import ObjectRef
from raysim.spec.ids import ObjectId

Made = TypeVar("Made")

PUT: Final = "(put object)"
TASK: Final = "(task call)"
ACTOR: Final = "(actor call)"
CREATED: Final = "(actor creation)"
"""How a reference was made. The first three are Ray's words."""

SPARE: Final = 1_000
"""Sites that are kept beyond those of references that are there, before others are forgotten. Ours."""

_OWN: Final = (f"{Path(__file__).parent.parent}/", "/raysim_cluster/", "/raysim_sim/")
"""Parts of the names of files that are no program's."""


class CallSites:
    """Of one process."""

    def __init__(self, known: Callable[[ObjectId], bool]) -> None:
        """`known`: whether the process still knows of an object; others are forgotten."""
        self._known = known
        self._sites: dict[ObjectId, str] = {}
        self._texts: dict[tuple[str, object, int], str] = {}
        self._most = SPARE

    def of(self, object_id: ObjectId) -> str:
        """Empty: not known."""
        return self._sites.get(object_id, "")

    def recorded(
        self, how: str, make: Callable[..., Made], refs: Callable[[Made], Iterable[Any]]
    ) -> Callable[..., Made]:
        """`make`, and the references that are in what it gives are noted."""

        def noted(*args: Any, **kwargs: Any) -> Made:
            made = make(*args, **kwargs)
            self.note(how, refs(made), sys._getframe(1))
            return made

        return noted

    def note(self, how: str, refs: Iterable[Any], frame: FrameType | None) -> None:
        site = self._site(how, frame)
        for ref in refs:
            if isinstance(ref, ObjectRef):
                self._sites.setdefault(ref._id, site)
        if len(self._sites) > self._most:
            noted = list(self._sites.items())  # Threads of the program may note some meanwhile.
            self._sites = {one: text for one, text in noted if self._known(one)}
            self._most = 2 * len(self._sites) + SPARE

    def _site(self, how: str, frame: FrameType | None) -> str:
        """As Ray writes it, of the innermost frame of the program."""
        while frame is not None and any(part in frame.f_code.co_filename for part in _OWN):
            frame = frame.f_back
        if frame is None:
            return how
        key = how, frame.f_code, frame.f_lineno
        text = self._texts.get(key)
        if text is None:
            code = frame.f_code
            text = f"{how} | {code.co_filename}:{code.co_name}:{frame.f_lineno}"
            self._texts[key] = text  # There are no more of them than lines of the program.
        return text
