"""Values that others keep at the GCS, and that outlive it. Never what they mean."""

from collections.abc import Iterator

from raysim.protocol.gcs.outbox import Outbox
from raysim.protocol.messages import KvDelete, KvDeleted, KvFound, KvGet, KvPut, KvStored
from raysim.spec.address import Address

KV = "kv"
"""Table of values: the key is the namespace, a zero, and the key in it."""


class KeyValueTable:
    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._values: dict[str, dict[bytes, bytes]] = {}
        """By namespace."""

    def load(self) -> None:
        for row, value in self._outbox.host.storage.load(KV).items():
            namespace, _, key = row.partition(b"\x00")
            self._values.setdefault(namespace.decode(), {})[key] = value

    def on_put(self, sender: Address, put: KvPut) -> None:
        values = self._values.setdefault(put.namespace, {})
        if put.overwrite or put.key not in values:
            values[put.key] = put.value
            self._outbox.put(KV, _row(put.namespace, put.key), put.value)
        self._outbox.send(sender, KvStored(put.number, values[put.key]))

    def on_get(self, sender: Address, get: KvGet) -> None:
        values = self._values.get(get.namespace, {})
        keys = self._keys(get.namespace, get.key, get.prefix)
        self._outbox.send(sender, KvFound(get.number, {key: values[key] for key in keys}))

    def on_delete(self, sender: Address, delete: KvDelete) -> None:
        keys = list(self._keys(delete.namespace, delete.key, delete.prefix))
        for key in keys:
            del self._values[delete.namespace][key]
            self._outbox.delete(KV, _row(delete.namespace, key))
        self._outbox.send(sender, KvDeleted(delete.number, len(keys)))

    def _keys(self, namespace: str, key: bytes, prefix: bool) -> Iterator[bytes]:
        values = self._values.get(namespace, {})
        if prefix:
            yield from sorted(one for one in values if one.startswith(key))
        elif key in values:
            yield key


def _row(namespace: str, key: bytes) -> bytes:
    return namespace.encode() + b"\x00" + key
