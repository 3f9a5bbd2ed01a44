"""Where a cluster's token is looked for, and that nobody else can read it."""

import stat
from pathlib import Path

import pytest

from raysim.exceptions import AuthenticationError
from raysim_cluster.auth_token import (
    PATH_VARIABLES,
    VARIABLES,
    existing_token,
    find_or_make_token,
    find_token,
)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for variable in (*VARIABLES, *PATH_VARIABLES):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def write(file: Path, token: str, mode: int = 0o600) -> Path:
    file.parent.mkdir(exist_ok=True)
    file.write_text(token + "\n")
    file.chmod(mode)
    return file


def test_the_environment_comes_before_files_and_our_names_before_ray_s(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find_token() is None
    rays = write(home / ".ray" / "auth_token", "of ray's file")
    assert find_token() == (b"of ray's file", str(rays))
    ours = write(home / ".raysim" / "auth_token", "of our file")
    assert find_token() == (b"of our file", str(ours))
    for variable in reversed(PATH_VARIABLES):
        named = write(home / variable, f"named by {variable}")
        monkeypatch.setenv(variable, str(named))
        assert find_token() == (f"named by {variable}".encode(), str(named))
    for variable in reversed(VARIABLES):
        monkeypatch.setenv(variable, f"in {variable}")
        assert find_token() == (f"in {variable}".encode(), "")
    assert find_or_make_token() == existing_and_where()


def existing_and_where() -> tuple[bytes, str]:
    return existing_token(), ""


def test_one_is_made_where_there_is_none_for_us_alone(home: Path) -> None:
    token, file = find_or_make_token()
    assert file == str(home / ".raysim" / "auth_token")
    assert len(token) == 64
    assert stat.S_IMODE(Path(file).stat().st_mode) == 0o600
    assert stat.S_IMODE(Path(file).parent.stat().st_mode) == 0o700
    assert find_or_make_token() == (token, file)
    assert existing_token() == token


def test_none_is_made_for_one_who_joins(home: Path) -> None:
    with pytest.raises(AuthenticationError, match=r"Copy the head's ~/\.raysim/auth_token"):
        existing_token()
    assert list(home.iterdir()) == []


@pytest.mark.parametrize(
    ("token", "mode", "said"),
    [
        ("secret", 0o640, r"Others than you may use.*chmod 600"),
        ("secret", 0o604, r"Others than you may use.*chmod 600"),
        ("  ", 0o600, r"is empty"),
    ],
)
def test_a_file_that_others_may_read_or_that_is_empty_is_refused(
    home: Path, token: str, mode: int, said: str
) -> None:
    write(home / ".raysim" / "auth_token", token, mode)
    with pytest.raises(AuthenticationError, match=said):
        find_or_make_token()


def test_a_file_that_is_named_has_to_be_there(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(home / "nowhere"))
    with pytest.raises(AuthenticationError, match=r"nowhere: No such file"):
        find_token()
