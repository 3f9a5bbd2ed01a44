"""Whom a client of HTTPS believes, and what it shows: a dashboard is asked from anywhere. Never a link."""

import os
import ssl
from typing import Any

from raysim_cluster.tls_files import NAME, CertificateError, find_tls, named_files


class _Named(ssl.SSLContext):
    """Wants one name of every certificate, whatever address one connects to."""

    name = ""

    def wrap_socket(self, *args: Any, **named: Any) -> ssl.SSLSocket:
        return super().wrap_socket(*args, **{**named, "server_hostname": self.name})


def web_client(verify: str | bool | None) -> ssl.SSLContext:
    """As `raysim.services.Services` says. Raises CertificateError."""
    cert, key, authority = named_files()
    name = os.environ.get(NAME, "")
    context = _Named(ssl.PROTOCOL_TLS_CLIENT) if name else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if isinstance(context, _Named):
        context.name = name
    if verify is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif isinstance(verify, str):
        _trust(context, verify)
    else:
        context.load_default_certs()
        if authority:
            _trust(context, authority)
    # Who has no node may have the authority alone, and none to show.
    own = find_tls() if cert or key else None
    if own is not None:
        try:
            context.load_cert_chain(own.cert, own.key, password="")
        except (OSError, ValueError) as error:
            raise CertificateError(
                f"The certificate {own.cert} and the key {own.key} do not do: {error}."
            ) from error
    return context


def _trust(context: ssl.SSLContext, authority: str) -> None:
    folder = os.path.isdir(authority)
    try:
        context.load_verify_locations(
            cafile=None if folder else authority, capath=authority if folder else None
        )
    except (OSError, ValueError) as error:
        raise CertificateError(
            f"The authority's certificate {authority} does not do: {error}. It has to be a PEM file, or a folder "
            "of such."
        ) from error
