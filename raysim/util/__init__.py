"""What Ray keeps under `ray.util`. Never needed by the protocol."""
