"""Results that others published, measured again on raysim's simulator: `make paper`."""
