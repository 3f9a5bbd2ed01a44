"""The first lines of a worker that another program has started: finds raysim, then is it. Imports nothing first.

A script, or, in a container, `python -m raysim_cluster.boot`. Its arguments: the version of Python that the
driver has, where its inheritance waits, where the driver finds modules (lines; empty: what is here has to
do), and the session, last: a process is told by its command line.
"""

import sys


def joined(given: list[str], own: list[str]) -> list[str]:
    """The program's own folders, then what this interpreter has, then what the driver has installed."""
    first = len(given)
    for index, path in enumerate(given):
        if path.rstrip("/").endswith(("site-packages", "dist-packages")):
            first = index
            break
    return list(dict.fromkeys([*given[:first], *own, *given[first:]]))


def main(version: str, name: str, paths: str, _: str) -> None:
    here = "{}.{}".format(*sys.version_info)
    if here != version:
        sys.exit(
            f"{sys.executable} is Python {here}, but the driver runs Python {version}, and values of one "
            "cannot be read by the other. Use the same version of Python."
        )
    if paths:
        script = __file__.rpartition("/")[0]
        sys.path[:] = joined(paths.split("\n"), [path for path in sys.path if path != script])
    try:
        from raysim_cluster.spawned import main as work
    except ImportError as error:
        sys.exit(
            f"{sys.executable} cannot import raysim: {error}. Install raysim-core[cluster] there."
        )
    work(name)


if __name__ == "__main__":
    main(*sys.argv[1:5])
