"""References to objects, as programs hold them. Never the counting: see `raysim.protocol.owner.objects`."""

from collections import deque
from collections.abc import Generator
from contextvars import ContextVar
from types import GenericAlias
from typing import TYPE_CHECKING, Any
from weakref import ref as weak

import msgspec

from raysim.exceptions import OufOfBandObjectRefSerializationException
from raysim.protocol.messages import ContainedRef
from raysim.runtime.current import current
from raysim.spec.address import NOWHERE, Address
from raysim.spec.ids import OBJECT_ID_BYTES, ObjectId, task_of_object
from raysim.spec.unique_ids import JobID, RandomID, TaskID, checked

if TYPE_CHECKING:
    import asyncio
    from concurrent.futures import Future

    from raysim.runtime.core_worker import CoreWorker

serialised: ContextVar[list[ContainedRef] | None] = ContextVar("serialised", default=None)
"""References met while a value is being serialised for the system; None: somebody else pickles."""

deserialised: ContextVar[list["ObjectRef"] | None] = ContextVar("deserialised", default=None)
"""References met while a value is being deserialised by the system."""


OUT_OF_BAND = "RAY_allow_out_of_band_object_ref_serialization"
"""Environment variable; `0` forbids to pickle references by hand. Ray's."""


class UnknownObjectError(ValueError):
    """A reference that no object stands behind."""


class Holder:
    """The process that counts a reference, as the reference knows it.

    Weakly: Python's garbage collector does not look into references, which takes a third off what a call costs, so that
    it would never find a simulated process to be garbage that an actor's reference leads back to.
    """

    __slots__ = ("_worker", "released")

    def __init__(self, worker: "CoreWorker") -> None:
        self.released: deque[ObjectId] = deque()
        """Python references that are gone and still counted."""
        self._worker = weak(worker)

    def worker(self) -> "CoreWorker | None":
        """None once its session is over."""
        return self._worker()


class ObjectRef(RandomID, msgspec.Struct, gc=False, eq=False):
    """A value that exists, will exist, or has failed, somewhere in the cluster. Ray: `ray.ObjectRef`."""

    bytes_long = OBJECT_ID_BYTES

    out_of_band = True
    """Whether programs may pickle references by hand. Processes set it."""

    _id: ObjectId
    _owner: Address
    _holder: Holder | None
    """Of the process that counts this reference already, or None if none does yet."""

    @classmethod
    def from_binary(cls, id_bytes: bytes) -> "ObjectRef":
        """One more reference to an object that this process knows; of any other, one that nobody can get.

        Raises ValueError for a wrong number of bytes, TypeError for what is not bytes.
        """
        object_id = ObjectId(checked(id_bytes, OBJECT_ID_BYTES))
        worker = current()
        known = None if worker is None else worker.known_ref(object_id)
        return ObjectRef(object_id, NOWHERE, None) if known is None else known

    @classmethod
    def from_random(cls) -> "ObjectRef":
        """A reference that no object has."""
        return cls.from_binary(cls.entropy(TaskID.bytes_long) + bytes(4))

    def binary(self) -> bytes:
        """28 bytes: task id (24), index (4). Ray's layout."""
        return self._id

    def task_id(self) -> TaskID:
        """Of the task that makes the object, or put it."""
        return TaskID(task_of_object(self._id))

    def job_id(self) -> JobID:
        return self.task_id().job_id()

    def owner_address(self) -> bytes:
        """Of the process that made the reference first, as messages have it."""
        return msgspec.msgpack.encode(self._owner)

    def call_site(self) -> str:
        """Where this process made it; empty where that is not recorded, which is Ray's default, too."""
        worker = None if self._holder is None else self._holder.worker()
        site_of = None if worker is None else worker.owner.object_states.site_of
        return "" if site_of is None else site_of(self._id)

    def tensor_transport(self) -> None:
        """None: values travel through the object store only."""
        return

    def __class_getitem__(cls, item: object) -> GenericAlias:
        """`ObjectRef[int]`, for annotations."""
        return GenericAlias(cls, item)

    def future(self) -> "Future[Any]":
        """A `concurrent.futures.Future` of the value. Cancelling it leaves the task alone."""
        from raysim.runtime.futures import RefFuture

        return RefFuture(self, self._counted())

    def as_future(self) -> "asyncio.Future[Any]":
        """A future of the running event loop; `await` of the reference itself does the same."""
        from raysim.runtime.futures import as_asyncio

        return as_asyncio(self, self._counted())

    def __await__(self) -> Generator[Any, None, Any]:
        """The value, as `get` gives it, in the running event loop."""
        from raysim.runtime.futures import value_of

        return value_of(self, self._counted()).__await__()

    def _counted(self) -> "CoreWorker":
        worker = None if self._holder is None else self._holder.worker()
        if worker is None:
            raise ValueError(f"{self!r} is not known to this process.")
        return worker

    def __hash__(self) -> int:
        return hash(self._id)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ObjectRef) and other._id == self._id

    def __lt__(self, other: "ObjectRef") -> bool:
        return self._id < other._id

    def __repr__(self) -> str:
        return f"ObjectRef({self._id.hex()})"

    def __reduce__(self) -> tuple[Any, ...]:
        met = serialised.get()
        if met is not None:
            if self._owner is NOWHERE:
                raise UnknownObjectError(
                    f"The owner of {self!r} is unknown: it was made of bytes, and this process has no such "
                    "object. Pass on references that remote(), put() or a value gave."
                )
            met.append(ContainedRef(self._id, self._owner))
        elif not ObjectRef.out_of_band:
            raise OufOfBandObjectRefSerializationException(
                f"It is not allowed to serialize ObjectRef {self._id.hex()} by hand: nobody can know how long it "
                "is needed. Pass it in arguments, results or ray.put, or set "
                "RAY_allow_out_of_band_object_ref_serialization=1 to have the object kept for ever."
            )
        elif self._holder is not None:
            # Pickled by somebody else's pickler: nobody can know how long it is needed (Ray pins it).
            worker = self._holder.worker()
            if worker is not None:
                worker.pin_for_ever(self)
        return _rebuild, (self._id, self._owner)

    def __copy__(self) -> "ObjectRef":
        """Counted by itself."""
        return _rebuild(self._id, self._owner)

    def __deepcopy__(self, memo: dict[int, Any]) -> "ObjectRef":
        return _rebuild(self._id, self._owner)

    def __del__(self) -> None:
        holder = self._holder
        if holder is not None:
            # From any thread and from the garbage collector: only noted down.
            released = holder.released
            released.append(self._id)
            if len(released) == 1:
                worker = holder.worker()
                if worker is not None:
                    worker.host.soon(worker.drain)


ObjectID = ObjectRef
"""Ray's older name."""


_owners: dict[Address, Address] = {}
"""Of references that came here."""

_MOST_OWNERS = 1_000


def one_of(owner: Address) -> Address:
    """The same address, each once, however many values name it."""
    if len(_owners) >= _MOST_OWNERS:
        _owners.clear()
    return _owners.setdefault(owner, owner)


def _rebuild(object_id: ObjectId, owner: Address) -> ObjectRef:
    ref = ObjectRef(object_id, one_of(owner), None)
    met = deserialised.get()
    if met is not None:
        met.append(ref)
    else:
        worker = current()
        if worker is not None:
            worker.adopt([ref])
    return ref
