"""Values under keys, kept by the GCS for whoever asks. Of those who agree on a namespace."""

from raysim.protocol.messages.base import Message


class KvPut(Message):
    """Anyone to GCS: keep this value under this key.

    `overwrite`: also where there is another. Reply: KvStored. Lost: asked again; a second copy finds its own value.
    """

    number: int
    namespace: str
    key: bytes
    value: bytes
    overwrite: bool


class KvStored(Message):
    """GCS to whoever put: the value that is there now, durable.

    Lost: the asker asks again.
    """

    number: int
    value: bytes


class KvGet(Message):
    """Anyone to GCS: what is under this key, or under all that begin with it?

    Reply: KvFound. Lost: asked again.
    """

    number: int
    namespace: str
    key: bytes
    prefix: bool


class KvFound(Message):
    """GCS to whoever asked: keys and values, in the order of the keys.

    Lost: the asker asks again.
    """

    number: int
    values: dict[bytes, bytes]


class KvDelete(Message):
    """Anyone to GCS: forget this key, or all that begin with it.

    Reply: KvDeleted. Lost: asked again.
    """

    number: int
    namespace: str
    key: bytes
    prefix: bool


class KvDeleted(Message):
    """GCS to whoever asked: how many there were; a second copy of the request finds none.

    Lost: the asker asks again.
    """

    number: int
    count: int
