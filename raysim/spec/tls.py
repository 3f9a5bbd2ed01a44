"""Which files a process proves with who it is, and knows others by. Never what is in them."""

import msgspec


class TlsFiles(msgspec.Struct, frozen=True):
    """Paths of PEM files."""

    cert: str
    """Of this process, with those between it and its authority."""
    key: str
    """Of `cert`, not encrypted."""
    ca: str
    """The authorities whose certificates are accepted."""
    name: str = ""
    """What every certificate of the cluster names; empty: the address that one connects to."""


class WebTls(msgspec.Struct, frozen=True):
    """What a server of HTTPS shows, and what it wants to be shown."""

    files: TlsFiles
    client_certs: bool = False
    """Who asks has to show a certificate of the authority, too."""
