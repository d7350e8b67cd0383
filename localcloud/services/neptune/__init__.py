"""Amazon Neptune: a graph database behind its endpoint."""
