"""Packages of programs, kept for the nodes that need them. Never what is inside them.

A package is named after its content and never changes. It stays for as long as a program that brought it runs, or a
program's or a living actor's environment names it, and for a while after it was last brought or fetched: who submits a
job is gone before that has a process. The next package that comes takes the place of those that are not needed.
"""

from collections.abc import Callable, Iterable

from raysim.protocol.gcs.outbox import Outbox
from raysim.protocol.messages import GetPackage, PackagePart, PackageStored, PutPackage
from raysim.spec.address import Address
from raysim.spec.ids import WorkerId

PACKAGES = "packages"
"""Table of parts: the key is the offset (8 bytes), the package's size (8 bytes), and its URI."""


class _Package:
    __slots__ = ("bringers", "data", "offsets", "size", "used_ns")

    def __init__(self, size: int) -> None:
        self.size = size
        self.data = bytearray()
        self.offsets: list[int] = []
        """Of its parts."""
        self.bringers: dict[WorkerId, None] = {}
        self.used_ns = 0


class PackageTable:
    """`programs()`: the drivers that run. `environments()`: those of jobs and actors that live, in some order."""

    def __init__(
        self,
        outbox: Outbox,
        programs: Callable[[], Iterable[WorkerId]],
        environments: Callable[[], Iterable[str]],
    ) -> None:
        self._outbox = outbox
        self._programs = programs
        self._environments = environments
        self._chunk = outbox.host.config.chunk_bytes
        self._packages: dict[str, _Package] = {}

    def load(self) -> None:
        parts = self._outbox.host.storage.load(PACKAGES)
        for key in sorted(parts):  # By offset first: the parts of each package come in their order.
            size = int.from_bytes(key[8:16], "big")
            package = self._packages.setdefault(key[16:].decode(), _Package(size))
            package.data += parts[key]
            package.offsets.append(int.from_bytes(key[:8], "big"))
        for package in self._packages.values():
            package.bringers = dict.fromkeys(self._programs())  # Nobody knows who of them it was.
            package.used_ns = self._outbox.host.now_ns()

    def on_put(self, driver: Address, put: PutPackage) -> None:
        package = self._packages.get(put.uri)
        if package is None:
            self._forget_unneeded()
            package = self._packages[put.uri] = _Package(put.size)
        package.bringers[driver.worker_id] = None
        package.used_ns = self._outbox.host.now_ns()
        if put.offset == len(package.data) and put.data:
            self._outbox.put(PACKAGES, _row(put.uri, put.offset, put.size), put.data)
            package.offsets.append(put.offset)
            package.data += put.data
        self._outbox.send(driver, PackageStored(put.uri, len(package.data)))

    def on_get(self, raylet: Address, get: GetPackage) -> None:
        package = self._packages.get(get.uri)
        if package is None or len(package.data) < package.size:
            self._outbox.send(raylet, PackagePart(get.uri, get.offset, -1))
            return
        package.used_ns = self._outbox.host.now_ns()
        data = bytes(package.data[get.offset : get.offset + self._chunk])
        self._outbox.send(raylet, PackagePart(get.uri, get.offset, package.size, data))

    def _forget_unneeded(self) -> None:
        before_ns = self._outbox.host.now_ns() - self._outbox.host.config.package_keep_ns
        old = {uri: one for uri, one in self._packages.items() if one.used_ns < before_ns}
        if not old:
            return
        programs, texts = set(self._programs()), dict.fromkeys(self._environments())
        for uri, package in old.items():
            if programs.isdisjoint(package.bringers) and not any(uri in text for text in texts):
                for offset in package.offsets:
                    self._outbox.delete(PACKAGES, _row(uri, offset, package.size))
                del self._packages[uri]


def _row(uri: str, offset: int, size: int) -> bytes:
    return offset.to_bytes(8, "big") + size.to_bytes(8, "big") + uri.encode()
