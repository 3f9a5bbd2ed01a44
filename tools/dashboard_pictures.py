"""Makes the pictures of docs/dashboard.md in a real browser: a cluster that works and fails. Never part of the suite.

python tools/dashboard_pictures.py    takes two minutes; ports and processes are its own
"""

import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROJECT = Path(__file__).parent.parent
sys.path.insert(0, str(PROJECT))

from tests.browser.chromium import Browser  # noqa: E402 - found by the line above.
from tests.cluster.started import Machine  # noqa: E402 - as above.

IMAGES = PROJECT / "docs" / "images"
DRAWN = "document.documentElement.dataset.drawn === 'yes'"
DESKTOP = (1200, 780)
PHONE = (390, 844)
SAMPLES_S = 75
"""Until the curves have some points, and memory has a trend."""

PAGES = (
    *("overview", "nodes", "jobs", "tasks", "actors", "objects"),
    *("placement_groups", "timeline", "logs", "events", "metrics"),
)

PROGRAM = """
ray.init("auto", namespace="demo", log_to_driver=False)
import random
@ray.remote
def preprocess(number): time.sleep(random.random() * 0.4); return number
@ray.remote
def train(number):
    print("epoch", number, "loss", 1 / (number + 1))
    time.sleep(1.5)
    return bytes(500_000)
@ray.remote(max_retries=0)
def evaluate(number):
    print("evaluating model", number)
    if number % 3 == 0: raise ValueError(f"model {number} diverged: loss is nan")
@ray.remote(num_gpus=1)
def needs_gpu(): return 1
keepers = [Keeper.options(name=f"keeper-{n}", num_cpus=0.1).remote() for n in range(3)]
ray.get([keeper.call.remote() for keeper in keepers for _ in range(5)])
ray.get([preprocess.remote(number) for number in range(60)])
models = [train.remote(number) for number in range(12)]
ray.wait(models, num_returns=12)
for number in range(9):
    try: ray.get(evaluate.remote(number))
    except ValueError: pass
pair = placement_group([{"CPU": 0.5}] * 2, name="pair")
ray.get(pair.ready())
large = placement_group([{"CPU": 64}], name="too-large")
waits = needs_gpu.remote()
ray.kill(keepers[2])
values = ray.put(bytes(20_000_000))
tell("ready")
while True:
    busy = [preprocess.remote(number) for number in range(20)]
    time.sleep(0.7)
"""


LIMITED = """
import time
import raysim as ray
ray.init()
@ray.remote
def tune(number): time.sleep(0.2)
while True: ray.get([tune.remote(number) for number in range(20)])
"""


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        Browser(Path(folder) / "profile") as browser,
    ):
        (Path(folder) / "machine").mkdir()
        with Machine(Path(folder) / "machine") as machine:
            _of_the_cluster(machine, browser)
        with _past(Path(folder)) as link:
            browser.size(*DESKTOP)
            browser.open(link, f"location.pathname === '/' && {DRAWN}")
            browser.open(link.partition("/login")[0] + "/#/timeline", DRAWN)
            _keep(browser, "run")


def _of_the_cluster(machine: Machine, browser: Browser) -> None:
    size = ("--num-cpus", "4", "--object-store-memory", "64MiB")
    named = ("--dashboard-port", "0", "--node-name", "first")
    begun = machine.raysim("start", "--head", "--port", "0", *named, *size)
    found = re.search(r"runs at (\S+)\..*Dashboard: (\S+)", begun.stdout, re.DOTALL)
    assert found, begun.stdout + begun.stderr
    address, url = found.groups()
    for number, name in ((2, "second"), (3, "third")):
        where = ("--node-ip-address", f"127.0.0.{number}", "--node-name", name)
        machine.raysim("start", "--address", address, *where, *size)
    token = (Path(machine.environment["HOME"]) / ".raysim/auth_token").read_text().strip()
    with machine.program(PROGRAM) as program:
        program.told()
        app = Path(machine.environment["HOME"]) / "app"
        app.mkdir()
        (app / "tune.py").write_text(LIMITED)
        standing = ("--quota", "CPU=2", "--quota", "memory=8GiB", "--priority", "10")
        what = ("--working-dir", str(app), "--no-wait", "--submission-id", "tuning")
        machine.raysim("job", "submit", *standing, *what, "--", "python", "tune.py")
        time.sleep(SAMPLES_S)
        browser.size(*DESKTOP)
        browser.open(f"{url}/login", "document.readyState === 'complete'")
        _keep(browser, "login")
        browser.open(f"{url}/login#token={token}", f"location.pathname === '/' && {DRAWN}")
        for size_of, suffix in ((DESKTOP, ""), (PHONE, "-phone")):
            browser.size(*size_of)
            for page in PAGES:
                browser.open(f"{url}/#/{page}", DRAWN)
                _keep(browser, page.replace("_", "-") + suffix)
            browser.open(f"{url}/#/overview", DRAWN)
            link = "document.querySelector('main a[href^=\"#/tasks/\"]').getAttribute('href')"
            browser.open(f"{url}/{browser.value(link)}", DRAWN)
            _keep(browser, f"task{suffix}")
        browser.size(*DESKTOP, dark=True)
        browser.open(f"{url}/#/overview", DRAWN)
        _keep(browser, "dark")
        machine.raysim("stop")


def _keep(browser: Browser, name: str) -> None:
    file = IMAGES / f"dashboard-{name}.png"
    file.write_bytes(browser.picture())
    print(file)


@contextmanager
def _past(folder: Path) -> Iterator[str]:
    """The link to a run that lost a node."""
    raysim = [sys.executable, "-m", "raysim"]
    ran = [*raysim, "run", "scenarios/quickstart.yaml", "--out", str(folder / "run")]
    subprocess.run(ran, cwd=PROJECT, check=True, stdout=subprocess.DEVNULL)
    command = [*raysim, "dashboard", str(folder / "run"), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=PROJECT) as server:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.kill()


if __name__ == "__main__":
    main()
