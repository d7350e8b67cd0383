"""Images of handwritten digits, generated."""
