"""docs/faults.md tells the truth of today: every kind of fault, and which backend performs it."""

import subprocess
import sys
from pathlib import Path


def test_the_document_is_fresh(repository: Path) -> None:
    command = [sys.executable, "tools/faults.py", "--check"]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
