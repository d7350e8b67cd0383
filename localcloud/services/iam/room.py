"""What this room installs, and what runs in it beside requests."""

from localcloud.services.iam import behaviour, service_linked_roles  # noqa: F401 (importing installs it)


def start() -> None:
    """Give the account the roles that it has."""
    service_linked_roles.seed()
