"""The API over a world that only writes down what it is asked."""

from collections.abc import Iterator
from typing import Any

import pytest

from raysim.api import defaults as presets
from raysim.api import session
from raysim.api.defaults import Defaults, set_defaults
from raysim.backend import ActorRecord, ContextInfo, InitOptions, NodeOptions
from raysim.runtime.object_ref import ObjectRef
from raysim.spec.address import NOWHERE
from raysim.spec.ids import ActorId, IdSource, driver_task, job_id, return_id
from raysim.spec.task import returns_of


class FakeBackend:
    """One process; each call is noted in `calls` as (name, arguments)."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        self.ids = IdSource(driver_task(job_id(1)))
        self.actor_id: str | None = None

    def _refs(self, count: int) -> list[ObjectRef]:
        task = self.ids.task()
        return [ObjectRef(return_id(task, i), NOWHERE, None) for i in range(returns_of(count))]

    def submit_task(self, function, options, args, kwargs):
        self.calls.append(("submit_task", (function, options, args, kwargs)))
        return self._refs(options.num_returns)

    def create_actor(self, cls, options, args, kwargs):
        self.calls.append(("create_actor", (cls, options, args, kwargs)))
        return ActorRecord(self.ids.actor(), cls.name, options.method_meta)

    def call_actor(self, actor_id, method, options, args, kwargs):
        self.calls.append(("call_actor", (actor_id, method, options, args, kwargs)))
        return self._refs(options.num_returns)

    def get_actor(self, name, namespace):
        self.calls.append(("get_actor", (name, namespace)))
        return ActorRecord(ActorId(b"a" * 16), "Found", b"\x90")

    def kill_actor(self, actor_id, no_restart):
        self.calls.append(("kill_actor", (actor_id, no_restart)))

    def put(self, value):
        return self._refs(1)[0]

    def get(self, refs, timeout):
        self.calls.append(("get", (tuple(refs), timeout)))
        return [ref.hex() for ref in refs]

    def wait(self, refs, num_returns, timeout, fetch_local):
        return list(refs[:num_returns]), list(refs[num_returns:])

    def context(self):
        return ContextInfo(
            "01", "02", "03", None, None, self.actor_id, None, "space", {}, {}, 0, False, True
        )


class FakeWorld:
    name = "fake"

    def __init__(self, options: InitOptions) -> None:
        self.options = options
        self.backend = FakeBackend()
        self.stops = 0
        self.refuses = False
        self.added: list[NodeOptions] = []
        self.jobs: list[InitOptions | None] = []
        self.left = 0

    def connect(self, options=None):
        if self.refuses:
            raise ConnectionError("nobody there")
        self.jobs.append(options)
        return self.backend

    def disconnect(self):
        self.left += 1

    def stop(self):
        self.stops += 1

    def address_info(self):
        return {"address": "fake:1", "node_id": "00"}

    def add_node(self, options):
        self.added.append(options)
        return f"{len(self.added):02}"

    def is_alive(self, node_id):
        return True

    def kill_node(self, node_id, graceful=False):
        self.added.pop()


@pytest.fixture
def worlds(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[FakeWorld]]:
    """The worlds that `init` made, in order; `worlds.backends` has the names it asked for."""

    class Worlds(list[FakeWorld]):
        def __init__(self) -> None:
            super().__init__()
            self.backends: list[str] = []
            self.refusing = False

    made = Worlds()

    def load(name: str):
        made.backends.append(name)

        def create(options: InitOptions) -> FakeWorld:
            made.append(FakeWorld(options))
            made[-1].refuses = made.refusing
            return made[-1]

        return create

    monkeypatch.setattr(session, "load", load)
    monkeypatch.setattr("raysim.cluster_utils.load", load)
    monkeypatch.delenv("RAYSIM_BACKEND", raising=False)
    yield made
    session.shutdown()
    set_defaults(Defaults())
    assert presets.defaults == Defaults()


@pytest.fixture
def backend(worlds: list[FakeWorld]) -> FakeBackend:
    """A connected one."""
    session.init(num_cpus=1)
    return worlds[0].backend
