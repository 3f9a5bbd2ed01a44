"""Recorded workloads: one module per format, each of which gives `TraceTask`s. Never runs one: see `replay`.

A new format is a module with a reader, its line in `reading.READERS`, and its name in `trace_model.Format`.
"""

from raysim.scenario.traces.task import TraceTask

__all__ = ["TraceTask"]
