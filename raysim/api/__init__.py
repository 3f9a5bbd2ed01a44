"""What a program imports, behind `raysim`'s names. Never a world: see `raysim.backend`."""
