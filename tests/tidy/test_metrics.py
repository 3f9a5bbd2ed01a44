"""docs/metrics.md tells the truth of today: every figure, its unit and its meaning."""

import subprocess
import sys
from pathlib import Path


def test_the_document_is_fresh(repository: Path) -> None:
    command = [sys.executable, "tools/metrics.py", "--check"]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
