"""What raysim costs, beside its rivals, in one run. Never a test: ratios are printed, not asserted."""
