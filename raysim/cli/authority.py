"""An authority in a folder, and certificates of it. Never who uses them."""

import datetime
import ipaddress
import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_AUTHORITY_DAYS: Final = 3650
_BACK: Final = datetime.timedelta(hours=1)
"""Clocks of machines differ."""

_LOOPBACK: Final = ("127.0.0.1", "localhost")

_Key = ec.EllipticCurvePrivateKey


def make_certificate(
    folder: Path, hosts: Sequence[str], days: int, common: Sequence[str] = ()
) -> tuple[list[str], datetime.datetime]:
    """What the certificate is for, and until when it holds. `common`: names that need no address. Raises OSError, and
    ValueError for what is no address."""
    # A head's dashboard is asked at its own machine, or through a tunnel that ends at one.
    names = list(dict.fromkeys([*(hosts or _of_this_machine()), *_LOOPBACK]))
    alternatives = [*map(x509.DNSName, common), *_alternatives(names)]
    names = [*common, *names]
    folder.mkdir(0o700, parents=True, exist_ok=True)
    authority, authority_key = _authority(folder)
    key = ec.generate_private_key(ec.SECP256R1())
    until = _now() + datetime.timedelta(days=days)
    usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    certificate = (
        _about("raysim node", key, until)
        .issuer_name(authority.subject)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .add_extension(_identifier_of(authority), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    _write(folder / "key.pem", _pem(key))
    _write(folder / "cert.pem", certificate.public_bytes(Encoding.PEM))
    return names, until


def _authority(folder: Path) -> tuple[x509.Certificate, _Key]:
    """The one of the folder, made if there is none. Raises ValueError where only a half of it is there."""
    file, key_file = folder / "ca.pem", folder / "ca-key.pem"
    if file.exists() or key_file.exists():
        if not (file.exists() and key_file.exists()):
            missing = key_file if file.exists() else file
            raise ValueError(
                f"{missing} is missing, without which nothing is signed. Run this where it is, or in an empty folder."
            )
        key = load_pem_private_key(key_file.read_bytes(), None)
        if not isinstance(key, _Key):
            raise ValueError(f"{key_file} is no key that this command has made.")
        return x509.load_pem_x509_certificate(file.read_bytes()), key
    key = ec.generate_private_key(ec.SECP256R1())
    until = _now() + datetime.timedelta(days=_AUTHORITY_DAYS)
    builder = _about("raysim authority", key, until)
    certificate = (
        builder.issuer_name(_name("raysim authority"))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_SIGNS, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write(key_file, _pem(key))
    _write(file, certificate.public_bytes(Encoding.PEM))
    return certificate, key


_SIGNS: Final = x509.KeyUsage(
    digital_signature=True,
    key_cert_sign=True,
    crl_sign=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    encipher_only=False,
    decipher_only=False,
)


def _about(name: str, key: _Key, until: datetime.datetime) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_now() - _BACK)
        .not_valid_after(until)
    )


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _identifier_of(authority: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    found = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(found.value)


def _alternatives(names: Sequence[str]) -> list[x509.GeneralName]:
    """Nodes connect to addresses: a name counts with those that it has here."""
    found: list[x509.GeneralName] = []
    for name in names:
        try:
            found.append(x509.IPAddress(ipaddress.ip_address(name)))
            continue
        except ValueError:
            pass
        try:
            addresses = socket.gethostbyname_ex(name)[2]
        except (OSError, UnicodeError) as error:
            raise ValueError(f"{name!r} has no address here: {error}. Give the address.") from error
        found.append(x509.DNSName(name))
        found += [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
    return list(dict.fromkeys(found))


def _of_this_machine() -> list[str]:
    try:
        addresses = socket.gethostbyname_ex(socket.gethostname())[2]
    except OSError:  # It has a name that nobody knows.
        return list(_LOOPBACK)
    return [*_LOOPBACK, *addresses]


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def _pem(key: _Key) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write(file: Path, data: bytes) -> None:
    """Whole at once, and never readable by others: a node may read it at any time."""
    written = file.with_suffix(".part")
    written.unlink(missing_ok=True)
    fd = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as opened:
        opened.write(data)
    written.rename(file)
