"""The names of what a run is measured by, each with its unit, its meaning and its source. Never computes one."""

from __future__ import annotations

from typing import Final

import msgspec


class Metric(msgspec.Struct, frozen=True):
    """One figure, or one sample: a figure with a value for each completed task."""

    unit: str
    """Empty: a count, or a ratio."""
    meaning: str
    source: str = ""
    """Who defined it, where it is more than a sum."""


BOUND_S: Final = 10.0
"""Of the bounded slowdown: tasks below count as if they ran so long. Feitelson and Rudolph's ten seconds."""

FIGURES: Final[dict[str, Metric]] = {
    "nodes": Metric("", "nodes at the start"),
    "cpus": Metric("cores", "of all nodes at the start"),
    "gpus": Metric("GPUs", "of all nodes at the start"),
    "tasks": Metric("", "tasks that were submitted, retries not counted again"),
    "edges": Metric("", "how many times a task of the workflow waits for another"),
    "failed": Metric("", "tasks that ended in an error, or never"),
    "retried": Metric("", "executions started again, after a fault or for a lost object"),
    "lost_work_s": Metric(
        "s",
        "time that executions took which did not count: those that were retried, failed, or done again for a lost "
        "object; one that was lost counts from when it was sent to its worker until its loss was heard of",
    ),
    "lost_objects": Metric("", "objects that were lost and not rebuilt"),
    "work_s": Metric("s", "sum of the tasks' runtimes, as the workload gives them"),
    "critical_path_s": Metric(
        "s", "longest chain of runtimes along the edges", "Kelley and Walker, 1959"
    ),
    "lower_bound_s": Metric(
        "s",
        "max(critical path, core-seconds / cores), and the last arrivals' ends: no schedule ends before",
        "Graham, Bounds on multiprocessing timing anomalies, SIAM J. Appl. Math., 1969",
    ),
    "makespan_s": Metric("s", "from the first submission to the last task's end"),
    "throughput": Metric("1/s", "completed tasks / makespan"),
    "utilisation": Metric(
        "0 to 1",
        "core-seconds of executions that counted / (cores x makespan), or, where an autoscaler starts and ends nodes, "
        "/ core-seconds that there were",
    ),
    "utilisation_gpu": Metric(
        "0 to 1", "GPU-seconds of executions that counted / (GPUs x makespan), where there are GPUs"
    ),
    "fragmentation": Metric(
        "0 to 1",
        "share of the free cores that are on nodes where a task drawn from the workload does not fit, on average over "
        "the makespan",
        "Weng et al., Beware of Fragmentation (FGD), ATC 2023, of cores",
    ),
    "fairness_jain": Metric(
        "0 to 1",
        "Jain's index of the users' progress, which is 1 / mean slowdown of a user's tasks; 1: all get on alike",
        "Jain, Chiu and Hawe, DEC-TR-301, 1984",
    ),
    "fairness_max_min": Metric(
        "0 to 1",
        "progress of the user who gets on worst / that of the one who gets on best",
        "Bertsekas and Gallager, Data Networks, 1992",
    ),
    "fairness_finish_time": Metric(
        "",
        "of the user whom it hits most: time from the first submission to the last end / the time that the same work "
        "would take on an equal share of the cores; at most 1 where sharing costs nobody anything",
        "Mahajan et al., Themis, NSDI 2020",
    ),
    "deadline_misses": Metric(
        "", "tasks that ended after their deadline, or not at all; only where tasks have deadlines"
    ),
    "messages": Metric("", "that processes sent each other; on `sim` only"),
    "bytes_moved": Metric("bytes", "objects' bytes that went from one node to another"),
    "locality": Metric(
        "0 to 1",
        "share of the bytes read by tasks that were on their node already: 1 - bytes_moved / bytes of their inputs",
    ),
    "spilled_bytes": Metric("bytes", "that nodes wrote to their disks for want of room"),
    "restored_bytes": Metric("bytes", "that nodes read back from their disks"),
    "node_hours": Metric(
        "h", "sum over the nodes of the time that each was there, within the makespan"
    ),
    "cost": Metric(
        "", "node-hours times the `cost_per_hour` of each node's group, in its currency"
    ),
    "wall_s": Metric("s", "real time that the run took"),
    "seed": Metric("", "the seed of every random choice"),
}
"""With one value each; None where a run has none."""

SAMPLES: Final[dict[str, Metric]] = {
    "task_wait": Metric("s", "from when all that a task waits for was there until it started"),
    "task_run": Metric("s", "from a task's start to its end, of the execution that counted"),
    "task_time": Metric(
        "s",
        "from a task's submission to its end: its turnaround, flow or response time, and where tasks are jobs their "
        "job completion time",
    ),
    "slowdown": Metric(
        "", "task_time / task_run of a task that takes time: 1 where it never waited"
    ),
    "bounded_slowdown": Metric(
        "",
        f"max(1, task_time / max(task_run, {BOUND_S:g} s))",
        "Feitelson and Rudolph, Metrics and benchmarking for parallel job scheduling, JSSPP 1998",
    ),
    "scheduling_delay": Metric(
        "s",
        "the part of task_wait until the task was sent to a worker; what follows is the worker's: its turn, its "
        "arguments",
        "Ousterhout et al., Sparrow, SOSP 2013",
    ),
}
"""With a value for each completed task: `min max mean p50 p90 p95 p99` of them are figures."""
