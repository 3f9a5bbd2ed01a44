"""The protocol of GCS, raylet, owner and executor, sans-IO, the same in every world. Never I/O, clocks, threads."""
