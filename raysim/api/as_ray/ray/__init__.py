"""`import ray`, answered with raysim. Never found unless the folder above is put on `sys.path`.

`raysim run program.py` puts it there, first, and the world gives the program's path to its workers:
so a function that imports ray in its body finds raysim in every process.
"""

from raysim.api.alias import install

install()
