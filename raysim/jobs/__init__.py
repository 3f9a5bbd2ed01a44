"""Programs that are handed to a cluster, and run there without their submitter. Never the protocol."""
