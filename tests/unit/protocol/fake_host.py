"""A host that records what roles ask for and moves only when told. Never delivers a message itself.

`sent` holds (to, message) in order, `notes` the journal, `timers` what waits. `advance(ns)` moves
the clock and runs the timers that come due, in the order of their times. Tests deliver by calling
`process.receive(sender, message)` themselves, so that they can narrate any race.
"""

from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from random import Random
from typing import TypeVar
from zlib import crc32

from raysim.config import Config
from raysim.journal import Note
from raysim.protocol.disk import PartsRead, Place, Written
from raysim.protocol.messages import Message
from raysim.spec.address import Address
from raysim.spec.ids import named_node_id, named_worker_id
from raysim.spec.log import LogPart, start_of

M = TypeVar("M", bound=Message)
N = TypeVar("N", bound=Note)


def address(name: str, node: str | None = None) -> Address:
    """A process called `name` on a node; without `node`, the raylet of the node called `name`."""
    if node is None:
        return Address(named_node_id(name), named_worker_id(f"{name}/raylet"))
    return Address(named_node_id(node), named_worker_id(f"{node}/{name}"))


class FakeTimer:
    def __init__(self, due_ns: int, sequence: int, action: Callable[[], None]) -> None:
        self.due_ns = due_ns
        self.sequence = sequence
        self.action: Callable[[], None] | None = action

    def cancel(self) -> None:
        self.action = None

    def __lt__(self, other: "FakeTimer") -> bool:
        return (self.due_ns, self.sequence) < (other.due_ns, other.sequence)


class FakeStorage:
    """A `ControlStore`: `tables` is what a crash leaves, `batch` what it takes away."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[bytes, bytes]] = {}
        self.batch: list[tuple[str, bytes, bytes | None]] = []
        self.commits = 0

    def load(self, table: str) -> dict[bytes, bytes]:
        return dict(self.tables.get(table, {}))

    def put(self, table: str, key: bytes, value: bytes) -> None:
        self.batch.append((table, key, value))

    def delete(self, table: str, key: bytes) -> None:
        self.batch.append((table, key, None))

    def commit(self) -> None:
        for table, key, value in self.batch:
            rows = self.tables.setdefault(table, {})
            if value is None:
                rows.pop(key, None)
            else:
                rows[key] = value
        self.batch = []
        self.commits += 1


class FakeStore:
    """An `ObjectStore` of bytearrays; `capacity` counts bytes, fragmentation does not exist."""

    def __init__(self, capacity: int = 1 << 30) -> None:
        self.capacity = capacity
        self.places: dict[int, bytearray] = {}
        self._next = 0

    def create(self, size: int) -> int | None:
        if self.used() + size > self.capacity:
            return None
        self._next += 1
        self.places[self._next] = bytearray(size)
        return self._next

    def delete(self, handle: int) -> None:
        del self.places[handle]

    def write_chunk(self, handle: int, offset: int, data: bytes, length: int) -> None:
        assert offset + length <= len(self.places[handle])
        if data:
            self.places[handle][offset : offset + length] = data

    def read_chunk(self, handle: int, offset: int, length: int) -> bytes:
        return bytes(self.places[handle][offset : offset + length])

    def used(self) -> int:
        return sum(len(place) for place in self.places.values())


class FakeDisk:
    """A `SpillDisk` that does nothing until told: `run` ends what was begun, in order. Files are bytes by number."""

    def __init__(self, store: FakeStore) -> None:
        self._store = store
        self.files: dict[int, bytearray] = {}
        self.begun: list[Callable[[], None]] = []
        self.used = 0.0
        self.problem = ""
        """Why nothing can be written."""

    def run(self, most: int = 1_000) -> None:
        while self.begun and most:
            most -= 1
            self.begun.pop(0)()

    def usage(self) -> float:
        return self.used

    def write(
        self,
        file: int,
        places: Sequence[Place],
        part_bytes: int,
        done: Callable[[Written], None],
    ) -> None:
        pieces = [bytes(self._store.places[handle][:size]) for handle, size in places]

        def written() -> None:
            if self.problem:
                done(Written(problem=self.problem))
                return
            self.files[file] = bytearray().join(pieces)
            done(Written([_sums(piece, part_bytes) for piece in pieces]))

        self.begun.append(written)

    def read(
        self,
        file: int,
        position: int,
        size: int,
        part_bytes: int,
        done: Callable[[PartsRead], None],
    ) -> None:
        def read() -> None:
            if file not in self.files:
                done(PartsRead(problem="no such file"))
                return
            data = bytes(self.files[file][position : position + size])
            done(PartsRead(_sums(data, part_bytes), data))

        self.begun.append(read)

    def fill(
        self,
        file: int,
        position: int,
        place: Place,
        part_bytes: int,
        done: Callable[[PartsRead], None],
    ) -> None:
        handle, size = place

        def filled(read: PartsRead) -> None:
            self._store.write_chunk(handle, 0, read.data, size)
            done(PartsRead(read.checksums, problem=read.problem))

        self.read(file, position, size, part_bytes, filled)

    def delete(self, file: int) -> None:
        self.files.pop(file, None)  # A test may have taken it away.


def _sums(data: bytes, part_bytes: int) -> list[int]:
    return [crc32(data[start : start + part_bytes]) for start in range(0, len(data), part_bytes)]


class FakeWorkers:
    """A `WorkerLauncher` that lists the tokens it was asked to start and to kill."""

    def __init__(self) -> None:
        self.started: list[int] = []
        self.envs: dict[int, str] = {}
        """By token."""
        self.killed: list[int] = []

    def start(self, token: int, env: str = "") -> None:
        self.started.append(token)
        self.envs[token] = env

    def kill(self, token: int) -> None:
        self.killed.append(token)


class FakeEnvironments:
    """An `Environments` that lists what it was asked for; tests call `Raylet.env_finished` themselves."""

    def __init__(self) -> None:
        self.packages: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.given_up: list[str] = []

    def has_package(self, uri: str) -> bool:
        return uri in self.packages

    def add_package(self, uri: str, data: bytes) -> None:
        self.packages[uri] = data

    def set_up(self, env: str) -> None:
        self.asked.append(env)

    def give_up(self, env: str) -> None:
        self.given_up.append(env)


class FakeLogs:
    """A `NodeLogs` of files in memory."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def names(self) -> list[str]:
        return sorted(self.files)

    def read(self, name: str, offset: int, limit: int) -> LogPart | None:
        content = self.files.get(name)
        if content is None:
            return None
        start = start_of(offset, len(content))
        return LogPart(content[start : start + limit], start, len(content))


class FakeHost:
    """A `GcsHost` and a `RayletHost` in one."""

    takes_notes = True

    def __init__(
        self, own: Address, config: Config | None = None, storage: FakeStorage | None = None
    ) -> None:
        self.address = own
        self.config = config or Config()
        self.storage = storage or FakeStorage()
        self.store = FakeStore()
        self.disk = FakeDisk(self.store)
        self.workers = FakeWorkers()
        self.envs = FakeEnvironments()
        self.logs = FakeLogs()
        self.sent: list[tuple[Address, Message]] = []
        self.notes: list[Note] = []
        self.stopped: list[str] = []
        self.buggified: set[str] = set()
        """Places that take their rare branch."""
        self._now_ns = 0
        self._sequence = 0
        self._timers: list[FakeTimer] = []
        self._streams: dict[str, Random] = {}

    def now_ns(self) -> int:
        return self._now_ns

    def call_later(self, delay_ns: int, action: Callable[[], None]) -> FakeTimer:
        assert delay_ns >= 0
        self._sequence += 1
        timer = FakeTimer(self._now_ns + delay_ns, self._sequence, action)
        heappush(self._timers, timer)
        return timer

    def send(self, to: Address, message: Message) -> None:
        self.sent.append((to, message))

    def rng(self, purpose: str) -> Random:
        return self._streams.setdefault(purpose, Random(purpose))

    def note(self, note: Note) -> None:
        self.notes.append(note)

    def buggify(self, place: str) -> bool:
        return place in self.buggified

    def stop_node(self, reason: str) -> None:
        self.stopped.append(reason)

    # What tests use.

    @property
    def timers(self) -> list[FakeTimer]:
        """Those that wait, soonest first."""
        return sorted(timer for timer in self._timers if timer.action is not None)

    def advance(self, ns: int) -> None:
        """Let `ns` pass; timers set by timers run too, if they come due."""
        until = self._now_ns + ns
        while self._timers and self._timers[0].due_ns <= until:
            timer = heappop(self._timers)
            action, timer.action = timer.action, None
            self._now_ns = max(self._now_ns, timer.due_ns)
            if action is not None:
                action()
        self._now_ns = until

    def take(self) -> list[tuple[Address, Message]]:
        """What was sent since the last time."""
        taken, self.sent = self.sent, []
        return taken

    def sent_to(self, to: Address) -> list[Message]:
        return [message for receiver, message in self.sent if receiver == to]

    def of(self, kind: type[M]) -> list[tuple[Address, M]]:
        """Messages of one kind among `sent`, with their receivers."""
        return [(to, message) for to, message in self.sent if isinstance(message, kind)]

    def noted(self, kind: type[N]) -> list[N]:
        return [note for note in self.notes if isinstance(note, kind)]
