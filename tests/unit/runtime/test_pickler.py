"""What travels has one size in every process, however its module came there."""

import subprocess
import sys

from raysim.runtime.pickler import dumps

MODULE = '''
import math

def area(radius):
    """Of a circle."""
    return math.pi * square(radius)

def square(x):
    return x * x

class Circle:
    def __init__(self, radius):
        self.radius = radius
    def area(self):
        return area(self.radius)
'''

SIZES = """
import shapes, cloudpickle
from raysim.runtime.pickler import dumps
cloudpickle.register_pickle_by_value(shapes)
print(len(dumps(shapes.area)), len(dumps(shapes.Circle)))
"""


def test_a_function_has_one_size_whether_its_module_was_compiled_or_comes_from_its_cache(tmp_path):
    (tmp_path / "shapes.py").write_text(MODULE)

    def sizes(*options):
        command = [sys.executable, *options, "-c", SIZES]
        environment = {"PYTHONPATH": str(tmp_path)}
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout

    compiled = sizes("-B")
    sizes()
    assert list((tmp_path / "__pycache__").glob("shapes.*.pyc"))
    assert sizes() == compiled


def test_it_does_not_matter_whether_equal_names_of_a_file_are_one_string():
    name = "/a/file/that/has/this/name.py"
    one, other = {"__name__": "made_here"}, {"__name__": "made_here"}
    exec(compile(MODULE, name, "exec"), one)
    exec(compile(MODULE, name, "exec"), other)
    one["__file__"] = one["square"].__code__.co_filename
    other["__file__"] = "".join(name)
    assert len(dumps(one["square"])) == len(dumps(other["square"]))
