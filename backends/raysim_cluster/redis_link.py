"""Asks a Redis, and says in words why it does not answer. Never what is in it."""

import hashlib
from collections.abc import Callable
from typing import Any, Final

from raysim_cluster.redis_place import RedisPlace

_PATIENCE_S: Final = 5.0
"""Until a question that is not answered counts as lost."""

RIGHTS: Final = "~raysim:* +@read +@write +@scripting +@connection +info"
"""Of a head, as ACL SETUSER takes them."""

Argument = str | bytes | int


class RedisMissingError(ValueError):
    """Its client is not installed."""


class Script:
    """Lua that Redis runs as a whole or not at all."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


class RedisLink:
    """One connection, made again when it is lost. Raises `RedisLink.errors` where it does not answer, or refuses."""

    def __init__(self, place: RedisPlace) -> None:
        try:
            import redis
            from redis.backoff import NoBackoff
            from redis.retry import Retry
        except ImportError as error:
            raise RedisMissingError(
                "The client of Redis is not installed. Run: pip install 'raysim-core[redis]'"
            ) from error
        self.place = place
        self.errors: type[Exception] = redis.RedisError
        self._redis = redis
        certificates: dict[str, Any] = {}
        if place.tls:
            certificates = {
                "ssl": True,
                "ssl_ca_certs": place.ca_cert or None,
                "ssl_certfile": place.client_cert or None,
                "ssl_keyfile": place.client_key or None,
            }
        self._client = client = redis.Redis(
            host=place.host,
            port=place.port,
            db=place.db,
            username=place.username or None,
            password=place.password or None,
            socket_timeout=_PATIENCE_S,
            socket_connect_timeout=_PATIENCE_S,
            socket_keepalive=True,
            retry=Retry(NoBackoff(), 0),  # Whoever asks knows what may be said twice.
            protocol=2,  # Which those know, too, that are older than Redis 6.
            **certificates,
        )
        self.ask: Callable[..., Any] = client.execute_command
        """A command and its arguments."""

    def run(self, script: Script, keys: list[str], *arguments: Argument) -> Any:
        try:
            return self.ask("EVALSHA", script.digest, len(keys), *keys, *arguments)
        except self._redis.exceptions.NoScriptError:  # It sees it for the first time.
            return self.ask("EVAL", script.text, len(keys), *keys, *arguments)

    def close(self) -> None:
        self._client.close()

    def explain(self, error: Exception) -> str:
        """Why it does not do, and what helps."""
        wrong = self._redis.exceptions
        place = self.place
        said = str(error).rstrip(".").replace(". ", ": ")
        if isinstance(error, wrong.AuthenticationError):
            return (
                f"The Redis at {place.host}:{place.port} does not let us in: {said}. Set RAYSIM_REDIS_PASSWORD, or "
                "RAYSIM_REDIS_PASSWORD_PATH to a file that has it (and RAYSIM_REDIS_USERNAME)."
            )
        if isinstance(error, wrong.NoPermissionError):
            return (
                f"The Redis at {place.host}:{place.port} forbids what a head needs: {said}. Its user needs "
                f"{RIGHTS}."
            )
        if isinstance(error, wrong.InvalidResponse):
            return f"Whoever listens at {place.host}:{place.port} is no Redis: {said}."
        if isinstance(error, wrong.ResponseError):
            return f"The Redis at {place.host}:{place.port} refuses: {said}."
        return (
            f"The Redis at {place.host}:{place.port} does not answer: {said}. Start it, or give its address as "
            "redis://host:port/db (rediss:// where it speaks TLS)."
        )


class RedisState:
    """What a Redis says of itself."""

    def __init__(self, link: RedisLink) -> None:
        """Raises `link.errors`."""
        told = link.ask("INFO")
        self._told: dict[str, Any] = told if isinstance(told, dict) else {}
        self.version = str(self._told.get("redis_version", "?"))

    def refusal(self) -> str:
        """Why it cannot keep a head's tables; empty: it can."""
        if self._told.get("cluster_enabled"):
            return "It is a Redis Cluster, and a head needs a Redis of one piece."
        policy = str(self._told.get("maxmemory_policy", ""))
        if self._told.get("maxmemory") and policy.startswith("allkeys"):
            return f"It forgets keys when its memory is full (maxmemory-policy {policy}). Set it to noeviction."
        if self._told.get("role") == "slave":
            return "It is a replica, to which nobody writes. Give the address of its master."
        return ""

    def risk(self) -> str:
        """What it may lose by its settings; empty: at most a second's rows, with its machine."""
        if self._told.get("aof_enabled"):
            return ""
        return (
            "It writes nothing down at once: what a head had acknowledged since its last snapshot is lost with it. "
            "Set appendonly yes."
        )
