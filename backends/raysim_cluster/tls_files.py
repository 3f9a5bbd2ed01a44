"""Which certificate a process of a cluster shows, and whose it accepts: by option or variable. Never reads them."""

import os
from collections.abc import Mapping
from typing import Final

from raysim.exceptions import AuthenticationError
from raysim.spec.tls import TlsFiles
from raysim_cluster.handshake import HandshakeError

VARIABLES: Final = ("RAYSIM_TLS_SERVER_CERT", "RAYSIM_TLS_SERVER_KEY", "RAYSIM_TLS_CA_CERT")
NAME: Final = "RAYSIM_TLS_NAME"
"""Where addresses of nodes are not known before, as those of pods: a name that all certificates have in common."""

RAY_SWITCH: Final = "RAY_USE_TLS"
RAY_VARIABLES: Final = ("RAY_TLS_SERVER_CERT", "RAY_TLS_SERVER_KEY", "RAY_TLS_CA_CERT")
"""Read where the switch is 1: Ray's rule."""


class CertificateError(HandshakeError, AuthenticationError):
    """A certificate that does not do, ours or a peer's."""


def find_tls(environment: Mapping[str, str] = os.environ) -> TlsFiles | None:
    """The files that variables name; None where none does. Raises CertificateError where only some are named."""
    for names in (VARIABLES, RAY_VARIABLES):
        if names is RAY_VARIABLES and environment.get(RAY_SWITCH) != "1":
            continue
        paths = [environment.get(name, "") for name in names]
        if all(paths):
            cert, key, ca = map(os.path.abspath, paths)
            return TlsFiles(cert, key, ca, environment.get(NAME, ""))
        if any(paths) or names is RAY_VARIABLES:
            missing = ", ".join(name for name, path in zip(names, paths, strict=True) if not path)
            raise CertificateError(f"TLS needs {', '.join(names)}. Set {missing}.")
    return None


def named_files(environment: Mapping[str, str] = os.environ) -> tuple[str, str, str]:
    """Certificate, key and authority, as far as variables name them: a client of HTTPS may do with less than a node."""
    for names in (VARIABLES, RAY_VARIABLES):
        if names is RAY_VARIABLES and environment.get(RAY_SWITCH) != "1":
            continue
        cert, key, authority = (environment.get(name, "") for name in names)
        if cert or key or authority:
            return cert, key, authority
    return "", "", ""
