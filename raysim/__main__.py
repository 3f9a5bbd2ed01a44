"""`python -m raysim`: the command `raysim`. Never anything more."""

from raysim.cli.main import main

main()
