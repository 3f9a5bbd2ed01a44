"""The alias is tried in a process of its own: `sys.modules` is nothing to restore by hand."""

import subprocess
import sys

SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
import ray, raysim
import ray.config
from ray.spec import ids
import raysim.config, raysim.spec.ids
assert ray is raysim
assert ray.config is raysim.config
assert ids is raysim.spec.ids
assert ids.__spec__.name == ids.__name__ == "raysim.spec.ids"
try:
    import ray.nothing
except ModuleNotFoundError as error:
    print(error.name)
"""


def test_import_ray_gives_raysim_s_own_modules(repository):
    folder = repository / "raysim" / "scenario" / "as_ray"
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT, folder],
        capture_output=True,
        text=True,
        cwd=repository,
        check=False,
        timeout=60,
    )
    assert (result.stdout, result.stderr) == ("ray.nothing\n", "")
