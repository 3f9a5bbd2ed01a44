"""Packages of programs, kept for the nodes that need them. Never what is inside them.

A package is named after its content and never changes. All stay until the cluster ends: an actor that
outlives its job may start again anywhere.
"""

from raysim.protocol.gcs.outbox import Outbox
from raysim.protocol.messages import GetPackage, PackagePart, PackageStored, PutPackage
from raysim.spec.address import Address

PACKAGES = "packages"
"""Table of parts: the key is the offset (8 bytes), the package's size (8 bytes), and its URI."""


class _Package:
    __slots__ = ("data", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self.data = bytearray()


class PackageTable:
    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._chunk = outbox.host.config.chunk_bytes
        self._packages: dict[str, _Package] = {}

    def load(self) -> None:
        parts = self._outbox.host.storage.load(PACKAGES)
        for key in sorted(parts):  # By offset first: the parts of each package come in their order.
            size = int.from_bytes(key[8:16], "big")
            self._packages.setdefault(key[16:].decode(), _Package(size)).data += parts[key]

    def on_put(self, driver: Address, put: PutPackage) -> None:
        package = self._packages.get(put.uri)
        if package is None:
            package = self._packages[put.uri] = _Package(put.size)
        if put.offset == len(package.data) and put.data:
            numbers = put.offset.to_bytes(8, "big") + put.size.to_bytes(8, "big")
            self._outbox.put(PACKAGES, numbers + put.uri.encode(), put.data)
            package.data += put.data
        self._outbox.send(driver, PackageStored(put.uri, len(package.data)))

    def on_get(self, raylet: Address, get: GetPackage) -> None:
        package = self._packages.get(get.uri)
        if package is None or len(package.data) < package.size:
            self._outbox.send(raylet, PackagePart(get.uri, get.offset, -1))
            return
        data = bytes(package.data[get.offset : get.offset + self._chunk])
        self._outbox.send(raylet, PackagePart(get.uri, get.offset, package.size, data))
