"""Packages: files of a program on their way from its driver through the GCS to the nodes that need them."""

from raysim.protocol.messages.base import Message


class PutPackage(Message):
    """Driver to GCS: `data` is the part of the package from `offset` on; `size` bytes in all.

    Reply: PackageStored. Lost: sent again; a part that is there already changes nothing.
    """

    uri: str
    size: int
    offset: int
    data: bytes


class PackageStored(Message):
    """GCS to driver: the package is there up to this byte.

    Lost: the driver sends the part again.
    """

    uri: str
    upto: int


class GetPackage(Message):
    """Raylet to GCS: give me the package from this byte on.

    Reply: PackagePart. Lost: asked again.
    """

    uri: str
    offset: int


class PackagePart(Message):
    """GCS to raylet: a part of the package, `size` bytes in all; -1: there is no such package.

    Lost: the raylet asks again.
    """

    uri: str
    offset: int
    size: int
    data: bytes = b""


class PrepareEnv(Message):
    """Driver to its raylet: calls in this runtime environment will come; set it up already.

    Reply: none. Lost: it is set up when the first call comes.
    """

    runtime_env: str
