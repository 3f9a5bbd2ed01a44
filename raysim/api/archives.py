"""Packages of runtime environments as nodes get them: fetched from the web, unpacked. Never made: see packages."""

import os
import shutil
import tarfile
import zipfile
from pathlib import Path
from typing import Final

from raysim.spec.runtime_env import FILE_SCHEME, LOCAL_SCHEME, PACKAGE_SCHEME, WEB_SCHEMES

ERRORS: Final = (OSError, zipfile.BadZipFile, tarfile.TarError)
"""What goes wrong with packages, besides our own bugs."""

_TIMEOUT_S: Final = 60
"""Seconds without a byte. Ray's."""

_AGENT: Final = "RAY_RUNTIME_ENV_HTTP_USER_AGENT"
_TOKEN: Final = "RAY_RUNTIME_ENV_BEARER_TOKEN"  # noqa: S105  (the name of Ray's variable, not a token)


def fetch(uri: str, file: Path) -> None:
    """What lies at this `https://` or `http://` URI. Raises OSError, which names it."""
    # Imported here: 40 ms, which only those pay that fetch something.
    from http.client import HTTPException
    from urllib.request import Request, urlopen

    headers = {"User-Agent": os.environ.get(_AGENT, "raysim-runtime-env"), "Accept": "*/*"}
    if os.environ.get(_TOKEN):
        headers["Authorization"] = f"Bearer {os.environ[_TOKEN]}"
    assert uri.startswith(WEB_SCHEMES), f"{uri} is not on the web"
    try:
        request = Request(uri, headers=headers)  # noqa: S310  (its scheme is one of the web's)
        with urlopen(request, timeout=_TIMEOUT_S) as body, file.open("wb") as out:  # noqa: S310  (as above)
            shutil.copyfileobj(body, out)
    except (OSError, HTTPException, ValueError) as error:
        raise OSError(f"{uri} could not be fetched: {error}") from error


def unpack(archive: Path, folder: Path, strip: bool) -> None:
    """The folder is there as a whole, or not at all. `strip`: a single folder at the top is left out.

    Raises one of ERRORS.
    """
    if folder.exists():
        return
    half = folder.with_suffix(".half")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir()
    # A wheel is a zip as well; everything else that is allowed is a tar.
    if zipfile.is_zipfile(archive) or archive.suffix in (".zip", ".whl"):
        _unzip(archive, half)
    else:
        with tarfile.open(archive) as tar:
            # Where Python has it (3.11.4): nothing lands outside of the folder.
            tar.extraction_filter = getattr(tarfile, "data_filter", None)
            tar.extractall(half)  # noqa: S202  (filtered)
    inside = list(half.iterdir())
    if strip and len(inside) == 1 and inside[0].is_dir():
        inside[0].rename(folder)
        half.rmdir()
    else:
        half.rename(folder)


def _unzip(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as zipped:
        for info in zipped.infolist():
            path = zipped.extract(info, folder)
            mode = info.external_attr >> 16 & 0o777
            if mode and not info.is_dir():
                os.chmod(path, mode)


def local_path(uri: str) -> Path | None:
    """Of an archive or a folder that lies on the node; None for what has to come from elsewhere."""
    for scheme in (FILE_SCHEME, LOCAL_SCHEME):
        if uri.startswith(scheme):
            return Path(uri.removeprefix(scheme))
    return None


def is_stripped(uri: str) -> bool:
    """Whether a single folder at the top of the archive is left out: of all that a driver did not upload."""
    return not uri.startswith(PACKAGE_SCHEME) and not uri.endswith(".whl")
