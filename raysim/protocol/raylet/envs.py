"""Runtime environments on a node: fetched, set up once, kept. Never how: the host does that.

An environment that only sets variables needs nothing of the node and is ready at once. One that failed
is forgotten with the calls that waited for it: the next call that asks for it tries again.
"""

from collections.abc import Callable

import msgspec

from raysim.protocol.host import RayletHost, Timer
from raysim.protocol.messages import GetPackage, PackagePart, PrepareEnv
from raysim.protocol.messages.state import EnvSeen
from raysim.spec.address import Address
from raysim.spec.runtime_env import PACKAGE_SCHEME, read_env

READY_KEPT = 1_000
"""Environments in which workers can start at once, the latest. Ours."""

FAILED_KEPT = 100
"""Environments that failed whose problem is remembered. Ours."""


class _SetUp(msgspec.Struct):
    """An environment that is on its way."""

    env: str
    since_ns: int
    missing: dict[str, None] = {}
    """Packages that have yet to come."""
    deadline: Timer | None = None


class _Fetch(msgspec.Struct):
    uri: str
    data: bytearray
    timer: Timer | None = None


class Envs:
    """`ready(env)` or `failed(env, why)` ends what `set_up` began."""

    def __init__(
        self,
        host: RayletHost,
        gcs: Address,
        ready: Callable[[str], None],
        failed: Callable[[str, str], None],
    ) -> None:
        self._host = host
        self._gcs = gcs
        self._on_ready = ready
        self._on_failed = failed
        self._ready: dict[str, int] = {}
        """To the nanoseconds that it took to set it up."""
        self._failed: dict[str, str] = {}
        """Why, of the latest that failed: for people who ask."""
        self._under_way: dict[str, _SetUp] = {}
        self._fetches: dict[str, _Fetch] = {}

    def is_ready(self, env: str) -> bool:
        return not env or env in self._ready

    def is_under_way(self, env: str) -> bool:
        return env in self._under_way

    def on_prepare(self, driver: Address, prepare: PrepareEnv) -> None:
        if not self.is_ready(prepare.runtime_env):
            self.set_up(prepare.runtime_env)

    def set_up(self, env: str) -> None:
        """Begin; harmless while it is under way."""
        if env in self._under_way:
            return
        try:
            spec = read_env(env)
        except msgspec.DecodeError as error:
            problem = f"its text cannot be read: {error}"
            self._under_way[env] = _SetUp(env, self._host.now_ns())
            self._host.call_later(0, lambda: self._end(env, problem))
            return
        if not spec.needs_setting_up:
            self._remember_ready(env, 0)
            self._on_ready(env)
            return
        set_up = self._under_way[env] = _SetUp(env, self._host.now_ns())
        if spec.timeout_s > 0:
            set_up.deadline = self._host.call_later(
                spec.timeout_s * 1_000_000_000, lambda: self._too_late(env, spec.timeout_s)
            )
        for uri in spec.packages:
            if uri.startswith(PACKAGE_SCHEME) and not self._host.envs.has_package(uri):
                set_up.missing[uri] = None
        for uri in set_up.missing:
            if uri not in self._fetches:
                fetch = self._fetches[uri] = _Fetch(uri, bytearray())
                self._ask(fetch)
        if not set_up.missing:
            self._host.envs.set_up(env)

    def finished(self, env: str, problem: str | None) -> None:
        """The host has set it up, or could not."""
        if env in self._under_way:
            self._end(env, problem)

    def _too_late(self, env: str, timeout_s: int) -> None:
        self._host.envs.give_up(env)
        self._end(
            env,
            f"it was not set up within {timeout_s} s. Raise setup_timeout_seconds in its config, or make "
            "it smaller",
        )

    def _end(self, env: str, problem: str | None) -> None:
        set_up = self._under_way.pop(env)
        if set_up.deadline is not None:
            set_up.deadline.cancel()
        if problem is not None:
            self._remember_failed(env, problem)
            self._on_failed(env, problem)
            return
        self._failed.pop(env, None)
        self._remember_ready(env, self._host.now_ns() - set_up.since_ns)
        self._on_ready(env)

    def _remember_ready(self, env: str, took_ns: int) -> None:
        """One that is forgotten is set up again when a worker is to start in it: what it needs is there."""
        self._ready[env] = took_ns
        if len(self._ready) > READY_KEPT:
            del self._ready[next(iter(self._ready))]

    def _remember_failed(self, env: str, problem: str) -> None:
        self._failed[env] = problem
        if len(self._failed) > FAILED_KEPT:
            del self._failed[next(iter(self._failed))]

    def seen(self) -> list[EnvSeen]:
        """All that this node knows of, without who uses them."""
        node_id = self._host.address.node_id
        return [
            *(EnvSeen(node_id, env, True, took_ns) for env, took_ns in self._ready.items()),
            *(EnvSeen(node_id, env, False) for env in self._under_way if env not in self._failed),
            *(EnvSeen(node_id, env, False, problem=why) for env, why in self._failed.items()),
        ]

    # Packages

    def _ask(self, fetch: _Fetch) -> None:
        """Until it is answered."""
        self._host.send(self._gcs, GetPackage(fetch.uri, len(fetch.data)))
        retry_ns = self._host.config.request_retry_ns
        fetch.timer = self._host.call_later(retry_ns, lambda: self._ask(fetch))

    def on_part(self, sender: Address, part: PackagePart) -> None:
        fetch = self._fetches.get(part.uri)
        if fetch is None or part.offset != len(fetch.data):
            return  # A second copy.
        if fetch.timer is not None:
            fetch.timer.cancel()
        fetch.data += part.data
        if 0 <= len(fetch.data) < part.size:
            self._ask(fetch)
            return
        del self._fetches[part.uri]
        waiting = [one for one in self._under_way.values() if part.uri in one.missing]
        if part.size < 0:
            for set_up in waiting:
                self._end(set_up.env, f"package {part.uri} is not in this cluster")
            return
        self._host.envs.add_package(part.uri, bytes(fetch.data))
        for set_up in waiting:
            del set_up.missing[part.uri]
            if not set_up.missing:
                self._host.envs.set_up(set_up.env)
