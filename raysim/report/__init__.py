"""A run's journal and summary -> what people look at. Never asks a world, never changes a figure."""
