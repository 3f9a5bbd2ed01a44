"""One line of one contender: a benchmark of pytest-benchmark. Never compares: see `bench.table`.

    pytest -c bench/pytest.ini bench/test_lines.py --contender cluster --line "1:1 actor calls sync"

shows what pytest-benchmark has to say of it; `python -m bench` runs this for one contender after another.
"""

from typing import Any

import pytest

from bench.lines import Line
from bench.operation import measure
from bench.workloads import Contender


def test_line(
    line: Line, contender: Contender, benchmark: Any, request: pytest.FixtureRequest
) -> None:
    operation = contender.lines[line.name](contender)
    measure(benchmark, line, operation, request.config.getoption("--seconds"))
