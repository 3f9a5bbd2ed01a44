"""Makes the pictures of docs/reports.md in a real browser, from runs of scenarios/. Never part of the suite.

python tools/report_pictures.py            all of them; the one of a million tasks takes two minutes
python tools/report_pictures.py --quick    without that one
"""

import subprocess
import sys
import tempfile
from pathlib import Path

PROJECT = Path(__file__).parent.parent
sys.path.insert(0, str(PROJECT))

from tests.browser.chromium import Browser  # noqa: E402 - found by the line above.

IMAGES = PROJECT / "docs" / "images"
DRAWN = "document.documentElement.dataset.drawn === 'yes'"
DESKTOP = (1200, 860)
PHONE = (390, 844)

PICTURES = (
    # name, scenario, size, dark, what stands at the top
    ("report", "quickstart", (1200, 930), False, "body"),
    ("report-graph", "quickstart", (1200, 1160), False, "#measured"),
    ("report-phone", "quickstart", PHONE, False, "#timeline"),
    ("report-dark", "shared-cluster", DESKTOP, True, "#timeline"),
    ("report-million", "million-tasks", DESKTOP, False, "#timeline"),
)


def main(arguments: list[str]) -> None:
    chosen = [one for one in PICTURES if "--quick" not in arguments or "million" not in one[0]]
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        for scenario in dict.fromkeys(one[1] for one in chosen):
            _run(scenario, Path(folder) / scenario)
        with Browser(Path(folder) / "profile") as browser:
            for name, scenario, size, dark, top in chosen:
                browser.size(*size, dark=dark)
                browser.open(Path(folder) / scenario / "report.html", DRAWN)
                where = f"document.querySelector('{top}')"
                browser.value(f"({where}.scrollIntoView({{behavior: 'instant'}}), 0)")
                (IMAGES / f"{name}.png").write_bytes(browser.picture())
                print(IMAGES / f"{name}.png")
            browser.size(*DESKTOP)
            browser.open(_compared(Path(folder)))
            (IMAGES / "comparison.png").write_bytes(browser.picture())


def _compared(folder: Path) -> Path:
    command = [sys.executable, "-m", "raysim", "bench", "policies", "scenarios/shared-cluster.yaml"]
    for policy in ("hybrid", "best_fit", "spread", "power_of_d(d=2)"):
        command += ["--policy", policy]
    for measure in ("p95(task_wait)", "mean(slowdown)", "fragmentation"):
        command += ["--measure", measure]
    command += ["--seeds", "10", "--out", str(folder / "compared")]
    subprocess.run(command, cwd=PROJECT, check=True, stdout=subprocess.DEVNULL)
    return folder / "compared" / "comparison.html"


def _run(scenario: str, folder: Path) -> None:
    file = PROJECT / "scenarios" / f"{scenario}.yaml"
    command = [sys.executable, "-m", "raysim", "run", str(file), "--out", str(folder)]
    subprocess.run(command, cwd=PROJECT, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main(sys.argv[1:])
