"""The command line and the demonstration: they compose what the packages offer."""
