"""The command line: arguments and printing. Never decides what a run does: see raysim.scenario."""
