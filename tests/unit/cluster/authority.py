"""Authorities and what they sign, for tests: PEM files in a folder."""

import datetime
from pathlib import Path
from uuid import uuid4

import trustme

from raysim.spec.tls import TlsFiles


class Authority:
    def __init__(self, folder: Path) -> None:
        self._ca = trustme.CA()
        self._folder = folder
        self.file = str(folder / f"{uuid4()}-ca.pem")
        self._ca.cert_pem.write_to_path(self.file)

    def files(
        self,
        *hosts: str,
        over: bool = False,
        early: bool = False,
        trusts: "Authority | None" = None,
    ) -> TlsFiles:
        """For these addresses; `over`: until yesterday, `early`: from tomorrow. `trusts`: another than this one."""
        day = datetime.timedelta(days=1)
        now = datetime.datetime.now(datetime.UTC)
        signed = self._ca.issue_cert(
            *(hosts or ("127.0.0.1",)),
            not_before=now + day if early else now - 9 * day,
            not_after=now - day if over else now + 30 * day,
        )
        stem = self._folder / str(uuid4())
        cert, key = f"{stem}-cert.pem", f"{stem}-key.pem"
        signed.cert_chain_pems[0].write_to_path(cert)
        signed.private_key_pem.write_to_path(key)
        Path(key).chmod(0o600)
        return TlsFiles(cert, key, (trusts or self).file)
