"""The settings of each stack: type, default, limits and description, each said once."""
