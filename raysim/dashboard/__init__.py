"""The cluster by HTTP: an API, pages, metrics. A client of a cluster, as the command line is; never a part of one."""
