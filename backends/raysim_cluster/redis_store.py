"""The GCS's tables in Redis, a hash each. Never who may be a head: see redis_head.

Each life of the GCS draws a number that is higher than all before it, and numbers its commits. Redis takes a commit
only if it is the next one of the last life: what a life before has sent, or what was sent twice over two connections,
changes nothing, however late it comes.
"""

import logging
import time
from collections.abc import Callable
from typing import Any, Final

from raysim_cluster.redis_head import HEAD, LEASE_MS, LOCK
from raysim_cluster.redis_link import Argument, RedisLink, Script
from raysim_cluster.redis_place import RedisPlace
from raysim_cluster.storage import Batch, BatchedStore, DisplacedError

logger = logging.getLogger(__name__)

_FENCE: Final = "fence"
_TABLE: Final = "table:"

_FIRST_PAUSE_S: Final = 0.02
"""Until Redis is asked again that did not answer, and then twice as long each time."""

_LONGEST_PAUSE_S: Final = 1.0

_REMIND_S: Final = 60.0
"""Between two lines in the log about one that is away."""

_DISPLACED: Final = 0
_LOST: Final = -1

_OPEN: Final = Script("""
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
local head = redis.call('GET', KEYS[2])
if not head or cjson.decode(head).session_id ~= ARGV[3] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
local life = redis.call('HINCRBY', KEYS[3], 'life', 1)
redis.call('HSET', KEYS[3], 'commit', 0)
return life
""")
"""Lock, head, fence; holder, its lease, session. Returns the number of this life."""

_MINE: Final = """
local fence = redis.call('HMGET', KEYS[1], 'life', 'commit')
local life, commit = tonumber(fence[1] or 0), tonumber(fence[2] or 0)
if life > tonumber(ARGV[1]) then return 0 end
if life < tonumber(ARGV[1]) then return -1 end
"""

_COMMIT: Final = Script(f"""{_MINE}
local this = tonumber(ARGV[2])
if commit >= this then return 1 end
if commit ~= this - 1 then return -1 end
for i = 3, #ARGV, 3 do
  local number = tonumber(ARGV[i])
  if number > 0 then redis.call('HSET', KEYS[number], ARGV[i + 1], ARGV[i + 2])
  else redis.call('HDEL', KEYS[-number], ARGV[i + 1]) end
end
redis.call('HSET', KEYS[1], 'commit', this)
return 1
""")
"""Fence, tables; life, number of the commit, then for each row the number of its table's key, less than 0 to delete it,
its key and its value."""

_STAY: Final = Script(f"""{_MINE}
if commit ~= tonumber(ARGV[2]) then return -1 end
local holder = redis.call('GET', KEYS[2])
if holder and holder ~= ARGV[3] then return 0 end
redis.call('SET', KEYS[2], ARGV[3], 'PX', ARGV[4])
return 1
""")
"""Fence, lock; life, number of the last commit, holder, its lease."""


class TablesLostError(Exception):
    """Redis does not have what it had acknowledged."""


class RedisControlStore(BatchedStore):
    """A batch is one script: Redis has all of it or nothing, and has acknowledged it when `commit` returns.

    While Redis does not answer, or refuses, this waits and asks again. Raises DisplacedError, TablesLostError.
    """

    def __init__(self, place: RedisPlace, session_id: str) -> None:
        super().__init__()
        self._place = place
        self._link = RedisLink(place)
        keys = [place.key(name) for name in (LOCK, HEAD, _FENCE)]
        self._lock, _, self._fence = keys
        self._commits = 0
        self._life = self._patiently(
            lambda: self._link.run(_OPEN, keys, place.holder, LEASE_MS, session_id)
        )
        self._check(self._life)

    def load(self, table: str) -> dict[bytes, bytes]:
        found: dict[bytes, bytes] = self._patiently(
            lambda: self._link.ask("HGETALL", self._key(table))
        )
        return found

    def stay(self) -> None:
        """Keep the namespace for another lease, within the last one. While Redis is away, nobody gets it."""
        keys = [self._fence, self._lock]
        try:
            answer = self._link.run(
                _STAY, keys, self._life, self._commits, self._place.holder, LEASE_MS
            )
        except self._link.errors as error:
            logger.warning("%s", self._link.explain(error))
            return
        self._check(answer)

    def _write(self, batch: Batch) -> None:
        numbers: dict[str, int] = {}
        rows: list[Argument] = []
        for (table, key), value in batch.items():
            number = numbers.setdefault(table, len(numbers) + 2)
            rows += [number, key, value] if value is not None else [-number, key, b""]
        keys = [self._fence, *map(self._key, numbers)]
        self._commits += 1
        answer = self._patiently(
            lambda: self._link.run(_COMMIT, keys, self._life, self._commits, *rows)
        )
        self._check(answer)

    def _key(self, table: str) -> str:
        return self._place.key(_TABLE + table)

    def _check(self, answer: int) -> None:
        if answer == _DISPLACED:
            raise DisplacedError(
                f"{self._place} is another head's now, or what a head had there is gone."
            )
        if answer == _LOST:
            raise TablesLostError(
                f"{self._place} does not have what it had acknowledged: it was started again without its last rows. "
                "Have it write each one down: appendonly yes, appendfsync always."
            )

    def _patiently(self, question: Callable[[], Any]) -> Any:
        """Nothing is acknowledged meanwhile: whoever waits for the GCS waits for Redis."""
        pause_s = _FIRST_PAUSE_S
        began_s: float | None = None
        said_s = 0.0
        while True:
            try:
                answer = question()
            except self._link.errors as error:
                now_s = time.monotonic()
                if began_s is None:
                    began_s = now_s
                if not said_s or now_s - said_s >= _REMIND_S:
                    said_s = now_s
                    logger.warning(
                        "%s Until then nothing is acknowledged.", self._link.explain(error)
                    )
                time.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                continue
            if began_s is not None:
                logger.warning(
                    "%s answers again, after %.1f s", self._place, time.monotonic() - began_s
                )
            return answer

    def close(self) -> None:
        self._link.close()
