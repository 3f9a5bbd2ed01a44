"""What Ray calls experimental: collective operations in graphs, and hints of what channels carry."""
