"""How near the simulator is to this machine: what things cost here, and both worlds side by side."""
