"""Types of what is experimental. Ray: `ray.experimental.util`."""
