"""The log of a process: bounded, whatever writes into it. Each test logs in a process of its own."""

import subprocess
import sys
from pathlib import Path

LOGS = """
import logging, os, sys
from pathlib import Path
from raysim_cluster.own_log import log_to
log_to(Path(sys.argv[1]), 1_000)
for number in range(int(sys.argv[2])):
    logging.getLogger("here").info("line %d", number)
os.write(1, b"printed\\n")
print("an error", file=sys.stderr, flush=True)
"""


def logged(path: Path, lines: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOGS, str(path), str(lines)], capture_output=True, check=True
    )
    assert (done.stdout, done.stderr) == (b"", b"")


def test_what_is_logged_and_printed_is_in_one_file(tmp_path: Path) -> None:
    logged(tmp_path / "gcs.log", 2)
    lines = (tmp_path / "gcs.log").read_text().splitlines()
    assert lines[0].endswith(" INFO here: line 0")
    assert lines[2:] == ["printed", "an error"]


def test_the_latest_two_parts_are_kept(tmp_path: Path) -> None:
    logged(tmp_path / "gcs.log", 200)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["gcs.log", "gcs.old.log"]
    old, new = (tmp_path / "gcs.old.log").read_text(), (tmp_path / "gcs.log").read_text()
    assert 1_000 <= len(old) < 1_100
    assert len(new) < 1_100
    assert new.endswith("printed\nan error\n")
    numbers = [int(line.split()[-1]) for line in (old + new).splitlines()[:-2]]
    assert numbers == list(range(numbers[0], 200))
