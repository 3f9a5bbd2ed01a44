"""The names of what a run is measured by, with their meaning and unit. Never computes one."""

from __future__ import annotations

from typing import Final

FIGURES: Final[dict[str, str]] = {
    "nodes": "nodes at the start",
    "cpus": "cores of all nodes at the start",
    "tasks": "tasks that were submitted, retries not counted again",
    "edges": "how many times a task of the workflow waits for another",
    "failed": "tasks that ended in an error",
    "retried": "executions that were started again, after a fault or for a lost object",
    "lost_objects": "objects that were lost and not rebuilt",
    "work_s": "sum of the tasks' runtimes, as the workload gives them, in seconds",
    "critical_path_s": "longest chain of runtimes along the edges, in seconds",
    "lower_bound_s": "max(critical path, core-seconds / cores): no schedule ends before",
    "makespan_s": "from the first submission to the last task's end, in seconds",
    "utilisation": "core-seconds of completed executions / (cores x makespan), 0 to 1",
    "bytes_moved": "bytes that went from one node to another",
    "wall_s": "real seconds that the run took",
    "seed": "the seed of every random choice",
}
"""Figures with one value each."""

SAMPLES: Final[dict[str, str]] = {
    "task_wait": "seconds from the moment all that a task waits for was there until it started",
    "task_run": "seconds from a task's start to its end, of the execution that counted",
    "task_time": "seconds from a task's submission to its end",
    "slowdown": "task_time / task_run of a task that takes time: 1 where it never waited",
}
"""Figures with a value for each completed task."""
