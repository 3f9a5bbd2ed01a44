"""docs/scenarios.md tells the truth of today: every key of a scenario, every scenario that is shipped."""

import subprocess
import sys
from pathlib import Path


def test_the_document_is_fresh(repository: Path) -> None:
    command = [sys.executable, "tools/scenarios.py", "--check"]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
