"""What all packages agree on. It needs the standard library only, and any package may import it."""
