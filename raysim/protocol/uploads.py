"""Sends packages of a program to the GCS, part after part. Never makes them."""

from collections.abc import Callable

import msgspec

from raysim.protocol.host import Host, Timer
from raysim.protocol.messages import PackageStored, PutPackage
from raysim.protocol.process import Handlers
from raysim.spec.address import Address


class _Upload(msgspec.Struct):
    uri: str
    data: bytes
    done: Callable[[], None]
    upto: int = 0
    timer: Timer | None = None


class Uploads:
    """A role of the driver. One part of a package is under way at a time."""

    def __init__(self, host: Host, gcs: Address) -> None:
        self._host = host
        self._gcs = gcs
        self._uploads: dict[str, _Upload] = {}

    @staticmethod
    def handlers() -> Handlers["Uploads"]:
        return {PackageStored: lambda uploads: uploads._on_stored}

    def start(self) -> None:
        """Nothing to send yet."""

    def peer_lost(self, peer: Address) -> None:
        """The GCS may come back: parts are sent until they are acknowledged."""

    def send(self, uri: str, data: bytes, done: Callable[[], None]) -> None:
        """`done()` once the GCS has all of it."""
        assert data, f"package {uri} is empty"
        upload = self._uploads[uri] = _Upload(uri, data, done)
        self._send(upload)

    def _send(self, upload: _Upload) -> None:
        data, upto, config = upload.data, upload.upto, self._host.config
        part = data[upto : upto + config.chunk_bytes]
        self._host.send(self._gcs, PutPackage(upload.uri, len(data), upto, part))
        upload.timer = self._host.call_later(config.request_retry_ns, lambda: self._send(upload))

    def _on_stored(self, sender: Address, stored: PackageStored) -> None:
        upload = self._uploads.get(stored.uri)
        if upload is None or stored.upto <= upload.upto:
            return  # A second copy.
        upload.upto = stored.upto
        if upload.timer is not None:
            upload.timer.cancel()
        if upload.upto < len(upload.data):
            self._send(upload)
        else:
            del self._uploads[upload.uri]
            upload.done()
