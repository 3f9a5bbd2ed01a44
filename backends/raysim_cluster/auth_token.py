"""The token of a cluster that outlives its drivers: where it stands, in Ray's order. Never sent over a connection."""

import os
import secrets
import stat
from pathlib import Path
from typing import Final

from raysim.exceptions import AuthenticationError

VARIABLES: Final = ("RAYSIM_AUTH_TOKEN", "RAY_AUTH_TOKEN")
PATH_VARIABLES: Final = ("RAYSIM_AUTH_TOKEN_PATH", "RAY_AUTH_TOKEN_PATH")
FILES: Final = ("~/.raysim/auth_token", "~/.ray/auth_token")
"""The first one is made where there is none."""


def find_token() -> tuple[bytes, str] | None:
    """The token and the file in which it stands (empty: in the environment); None where there is none.

    Raises AuthenticationError for a file that is named and not there, that is empty, or that others may read.
    """
    for variable in VARIABLES:
        if token := os.environ.get(variable, "").strip():
            return token.encode(), ""
    for variable in PATH_VARIABLES:
        if path := os.environ.get(variable):
            return _read(Path(path).expanduser()), path
    for name in FILES:
        file = Path(name).expanduser()
        if file.exists():
            return _read(file), str(file)
    return None


def find_or_make_token() -> tuple[bytes, str]:
    """As `find_token`; a new one in the first of `FILES` where there is none."""
    found = find_token()
    if found is not None:
        return found
    file = Path(FILES[0]).expanduser()
    file.parent.mkdir(0o700, parents=True, exist_ok=True)
    token = secrets.token_hex(32)
    try:
        fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:  # Another one was started just now.
        return _read(file), str(file)
    with os.fdopen(fd, "w") as opened:
        opened.write(token + "\n")
    return token.encode(), str(file)


def existing_token() -> bytes:
    """Raises AuthenticationError where there is none."""
    found = find_token()
    if found is None:
        raise AuthenticationError(
            f"There is no token for this cluster. Copy the head's {FILES[0]} to the same place here, or set "
            f"{VARIABLES[0]} or {PATH_VARIABLES[0]}."
        )
    return found[0]


def _read(file: Path) -> bytes:
    try:
        mode = file.stat().st_mode
        token = file.read_bytes().strip()
    except OSError as error:
        raise AuthenticationError(f"The token file {file}: {error.strerror}.") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise AuthenticationError(
            f"Others than you may use the token file {file}. Run: chmod 600 {file}"
        )
    if not token:
        raise AuthenticationError(f"The token file {file} is empty.")
    return token
