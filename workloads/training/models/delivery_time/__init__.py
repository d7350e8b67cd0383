"""How many minutes a food delivery takes."""
