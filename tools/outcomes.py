"""A plugin of pytest: writes down what becomes of each test, as it happens. Never decides what runs again.

    python -m pytest -p tools.outcomes --outcomes FILE [--only FILE] ...

A process that dies leaves no summary; these lines, each written at once, are there even then.
"""

import json
from pathlib import Path
from typing import Any

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("outcomes")
    group.addoption("--outcomes", type=Path, metavar="FILE", help="write a line of JSON per event")
    group.addoption("--only", type=Path, metavar="FILE", help="leave out what this list has not")


def pytest_configure(config: pytest.Config) -> None:
    file: Path | None = config.getoption("outcomes")
    if file is not None:
        config.pluginmanager.register(Outcomes(file), "outcomes of tests")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    file: Path | None = config.getoption("only")
    if file is None:
        return
    wanted = set(json.loads(file.read_text("utf-8")))
    config.hook.pytest_deselected(items=[item for item in items if item.nodeid not in wanted])
    items[:] = [item for item in items if item.nodeid in wanted]


class Outcomes:
    """Tells of one process: what it collected, where it is, how each test ended, that it finished."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._worst = "passed"
        self._why = ""

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._tell(collected={item.nodeid: str(item.path) for item in session.items})

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._worst, self._why = "passed", ""
        self._tell(began=nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and self._worst != "failed":
            self._worst, self._why = "failed", f"{report.when}: {last_words(report)}"
        elif report.skipped and self._worst == "passed":
            self._worst = "skipped"

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self._tell(ended=nodeid, outcome=self._worst, why=self._why)

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        self._tell(finished=int(exitstatus))

    def _tell(self, **event: Any) -> None:
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(event) + "\n")


def last_words(report: pytest.TestReport) -> str:
    """The exception in one line; its traceback is in pytest's own output."""
    crash = getattr(report.longrepr, "reprcrash", None)
    message = str(crash.message if crash is not None else report.longrepr)
    return message.strip().partition("\n")[0]
