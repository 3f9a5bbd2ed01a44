"""Scenario files: what runs, on which cluster, what goes wrong, what must hold."""
