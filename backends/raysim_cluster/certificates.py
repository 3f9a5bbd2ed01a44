"""Certificates of this process and of its peers: what TLS makes of them, what is wrong. Never where they stand.

Both ends of a connection show one that an authority of theirs has signed, and who connects looks whether it names the
address. Files are read again when they have changed: whoever connects from then on is shown the new ones.
"""

import contextlib
import logging
import os
import socket
import ssl
from collections.abc import Iterator
from typing import Any, Final

from raysim.spec.tls import TlsFiles
from raysim_cluster.tls_files import CertificateError
from raysim_cluster.tls_socket import TlsSocket

_ANOTHER_AUTHORITY: Final = (18, 19, 20, 21)
"""X509_V_ERR: self-signed, or signed by one that is not known here."""
_EXPIRED: Final = 10
_NOT_YET: Final = 9
_OTHER_NAME: Final = (62, 64)

_MAKE: Final = "raysim tls make FOLDER --host ADDRESS"

_SAID: Final = {
    "TLSV1_ALERT_UNKNOWN_CA": (
        "does not know the authority of our certificate. Use one of the authority that its nodes have as --tls-ca"
    ),
    "TLSV1_ALERT_DECRYPT_ERROR": (
        "found our certificate not to be of its authority. Use one of the authority that its nodes have as --tls-ca"
    ),
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": f"says that our certificate has expired. Make another: {_MAKE}",
    "SSLV3_ALERT_BAD_CERTIFICATE": f"refuses our certificate; its log says why. Make another: {_MAKE}",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "wants a certificate, and was shown none",
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "showed no certificate",
    "WRONG_VERSION_NUMBER": (
        "does not speak TLS. Start its nodes with --tls-cert, --tls-key and --tls-ca, or leave them out here, too"
    ),
}
"""Of OpenSSL's reasons, those that somebody can do something about."""

logger = logging.getLogger(__name__)


class Certificates:
    """As TLS has them, for those who connect here and for connecting elsewhere."""

    def __init__(self, files: TlsFiles, mutual: bool = True) -> None:
        """`mutual`: who connects here has to show one, too. Raises CertificateError."""
        self._files = files
        self._mutual = mutual
        self._written = _written(files)
        self._contexts = _contexts(files, mutual)

    def server(self) -> ssl.SSLContext:
        self._look()
        return self._contexts[0]

    def client(self) -> ssl.SSLContext:
        self._look()
        return self._contexts[1]

    def _look(self) -> None:
        try:
            written = _written(self._files)
            if written == self._written:
                return
            self._contexts = _contexts(self._files, self._mutual)
        except CertificateError as error:
            # They may be in the middle of being replaced.
            logger.warning("the certificates read before are used on: %s", error)
            return
        self._written = written
        logger.info("the certificates were replaced, and are read again")


def shown(files: TlsFiles, host: str | None = None) -> dict[str, Any]:
    """The certificate as one finds it that has the same files and connects to `host` (None: to any), which it accepts.
    Raises CertificateError."""
    certificates = Certificates(files)
    context = certificates.client()
    context.check_hostname = host is not None
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(back, there, server_hostname=host and (files.name or host))
    server = certificates.server().wrap_bio(there, back, server_side=True)
    for side in (client, server) * 2:
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
        except ssl.SSLError as error:
            raise CertificateError(explain(error, f"The node of {files.cert}") + ".") from error
    return client.getpeercert() or {}


def _written(files: TlsFiles) -> list[int]:
    try:
        return [os.stat(path).st_mtime_ns for path in (files.cert, files.key, files.ca)]
    except OSError as error:
        raise CertificateError(f"{error.filename}: {error.strerror}. Make it: {_MAKE}") from error


def _contexts(files: TlsFiles, mutual: bool) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    server, client = (
        _context(files, side) for side in (ssl.PROTOCOL_TLS_SERVER, ssl.PROTOCOL_TLS_CLIENT)
    )
    if not mutual:
        server.verify_mode = ssl.CERT_NONE
    return server, client


def _context(files: TlsFiles, side: ssl._SSLMethod) -> ssl.SSLContext:
    context = ssl.SSLContext(side)
    context.sslsocket_class = TlsSocket
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    if side is ssl.PROTOCOL_TLS_SERVER:
        context.num_tickets = 0  # Nobody resumes.
    try:
        # Without a password OpenSSL would ask the terminal for one.
        context.load_cert_chain(files.cert, files.key, password="")
    except (OSError, ValueError) as error:
        raise CertificateError(
            f"The certificate {files.cert} and the key {files.key} do not do: {_reason(error)}. Both have to be PEM "
            "files, the key that of the certificate and not encrypted."
        ) from error
    try:
        context.load_verify_locations(files.ca)
    except (OSError, ValueError) as error:
        raise CertificateError(
            f"The authority's certificate {files.ca} does not do: {_reason(error)}. It has to be a PEM file."
        ) from error
    return context


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "they are no certificate and key").lower().replace("_", " ")
    return str(error) if isinstance(error, ValueError) else os.strerror(getattr(error, "errno", 0))


def explain(error: ssl.SSLError, peer: str) -> str:
    """What is wrong, and what to do."""
    if isinstance(error, ssl.SSLCertVerificationError):
        message = error.verify_message.rstrip(".")
        return f"{peer} has a certificate that is refused here: {message}. {_remedy(error.verify_code)}"
    reason = error.reason or ""
    return f"{peer} {_SAID.get(reason) or 'broke off TLS: ' + reason.lower().replace('_', ' ')}"


def _remedy(code: int) -> str:
    if code in _ANOTHER_AUTHORITY:
        return "It has to be of the authority given here as --tls-ca"
    if code == _EXPIRED:
        return f"Make another: {_MAKE}"
    if code == _NOT_YET:
        return "Look at both clocks"
    if code in _OTHER_NAME:
        return f"Make one that names all addresses of its nodes: {_MAKE}"
    return f"Make another: {_MAKE}"


@contextlib.contextmanager
def secured(sock: socket.socket, files: TlsFiles, peer: str, host: str) -> Iterator[ssl.SSLSocket]:
    """A blocking socket that is connected, as TLS to `host`. Inside, too, what goes wrong is a CertificateError, and
    ConnectionError for a cut: the other side's verdict comes with its first bytes."""
    context = Certificates(files).client()
    try:
        with context.wrap_socket(sock, server_hostname=files.name or host) as safe:
            yield safe
    except (ssl.SSLEOFError, ssl.SSLZeroReturnError) as error:
        raise ConnectionError("it hung up") from error
    except ssl.SSLError as error:
        raise CertificateError(explain(error, peer) + ".") from error
