"""Everything that moto lacks, installed in one place."""


def start() -> None:
    """Install the hooks and start what runs on its own."""
