import importlib.util
import re
from pathlib import Path

from bench.lines import BY_NAME


def test_bench_has_every_line_of_rays_microbenchmark_by_its_name():
    spec = importlib.util.find_spec("ray")
    assert spec is not None
    assert spec.origin is not None
    source = (Path(spec.origin).parent / "_private" / "ray_perf.py").read_text()
    names = re.findall(r'timeit\(\s*"([^"]+)"', source)
    assert len(names) > 20
    assert [name for name in names if name not in BY_NAME] == []
