"""What a backend of collective operations is. Ray: `ray.util.collective.collective_group`."""
