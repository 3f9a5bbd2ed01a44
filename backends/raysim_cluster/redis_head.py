"""Which head has a namespace of a Redis: one at a time, for as long as its GCS says so. Never its tables.

A head takes the namespace for a lease, which its GCS prolongs. One that ends in good order gives it back; another head
may take it from one that was killed: at once where this machine can tell that, else when the lease is over.
"""

import os
import socket
import time
from collections.abc import Callable
from typing import Any, Final

import msgspec

from raysim_cluster.heads import Record, check_record
from raysim_cluster.linux import is_gone, process_mark
from raysim_cluster.redis_link import RedisLink, RedisState, Script
from raysim_cluster.redis_place import RedisPlace

LOCK: Final = "lock"
HEAD: Final = "head"

LEASE_MS: Final = 10_000
"""Milliseconds that a head which is not heard of keeps a namespace. Ours: longer than a GCS takes to start again."""

_LOOK_S: Final = 0.25

_CLAIM: Final = Script("""
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] and holder ~= ARGV[2] then return {0, holder, redis.call('PTTL', KEYS[1])} end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
redis.call('SETNX', KEYS[2], ARGV[4])
return {1, redis.call('GET', KEYS[2]), 0}
""")
"""Lock, head; holder, one that is dead, lease, what becomes the head's record where there is none."""

_SETTLE: Final = Script("""
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[2])
return 1
""")
"""Lock, head; holder, record."""

_LEAVE: Final = Script("""
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
""")
"""Lock; holder."""


class Holder(msgspec.Struct, frozen=True):
    """Of a namespace: the process that looks after the head."""

    id: str
    machine: str
    where: str
    pid: int
    start: int


class RedisHead:
    """See `heads.HeadPlace`."""

    def __init__(self, place: RedisPlace, host: str, port: int) -> None:
        """Waits for the lease of one that may have been killed. Raises ConnectionError where Redis does not answer or
        does not let us in, ValueError where it does not do, or another head runs, or was of another version or address.
        """
        where, pid, start = process_mark()
        holder = Holder(os.urandom(8).hex(), socket.gethostname(), where, pid, start)
        self.storage = msgspec.structs.replace(place, holder=msgspec.json.encode(holder).decode())
        self._link = RedisLink(self.storage)
        self._keys = [place.key(LOCK), place.key(HEAD)]
        try:
            state = self._asked(lambda: RedisState(self._link))
            if refusal := state.refusal():
                raise ValueError(f"The Redis at {place.host}:{place.port} does not do. {refusal}")
            found = self._claim(Record(os.urandom(8).hex(), host, 0))
            self.session_id, self.port, self.returns = found.session_id, port, bool(found.port)
            if self.returns:
                try:
                    self.port = check_record(found, str(place), "namespace", host, port)
                except ValueError:
                    self.leave()
                    raise
        except BaseException:
            self._link.close()
            raise

    def settle(self, endpoint: str) -> None:
        host, _, port = endpoint.rpartition(":")
        self.port = int(port)
        record = Record(self.session_id, host, self.port)
        answer = self._asked(
            lambda: self._link.run(
                _SETTLE, self._keys, self.storage.holder, msgspec.json.encode(record)
            )
        )
        if not answer:
            raise ConnectionError(f"Another head has taken over {self.storage}.")

    def leave(self) -> None:
        """Another head need not wait. What is there stays."""
        try:
            self._link.run(_LEAVE, self._keys[:1], self.storage.holder)
        except self._link.errors:
            return  # The lease ends by itself.

    def _claim(self, record: Record) -> Record:
        """What is written there of the head, this one's where there is nothing."""
        keys, holder_id, written = self._keys, self.storage.holder, msgspec.json.encode(record)
        dead = ""

        def claim() -> Any:
            return self._link.run(_CLAIM, keys, holder_id, dead, LEASE_MS, written)

        until: float | None = None
        while True:
            taken, said, left_ms = self._asked(claim)
            if taken:
                return msgspec.json.decode(said, type=Record)
            holder = msgspec.json.decode(said, type=Holder)
            if is_gone(holder.where, holder.pid, holder.start):
                dead = said
                continue
            now = time.monotonic()
            if until is None:
                until = now + left_ms / 1000 + 2 * _LOOK_S
            if now > until:
                raise ValueError(
                    f"Another head runs on {self.storage}: process {holder.pid} on {holder.machine}. End it (raysim "
                    "stop), or give this cluster a namespace of its own in RAYSIM_EXTERNAL_STORAGE_NAMESPACE."
                )
            time.sleep(_LOOK_S)

    def _asked(self, question: Callable[[], Any]) -> Any:
        """Raises ConnectionError: who starts a head is told at once."""
        try:
            return question()
        except self._link.errors as error:
            raise ConnectionError(self._link.explain(error)) from error
