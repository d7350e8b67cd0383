"""Which digit an image shows."""
