"""The services: a room for each, which adds what moto lacks.

A room is a package with a module `room`. Importing that module installs the room's additions to moto, through
`localcloud.hooks`; if it has a function `start`, that is called once, when the server starts. Another distribution
brings a room by an entry point of the group `localcloud.services` that names such a module.
"""

from importlib import import_module
from importlib.metadata import entry_points

GROUP = "localcloud.services"
ROOMS = (
    "autoscaling",
    "awslambda",
    "batch",
    "cloudtrail",
    "cloudwatch",
    "dynamodb",
    "ec2",
    "events",
    "iam",
    "kms",
    "neptune",
    "opensearch",
    "rds",
    "s3",
    "servicequotas",
    "sns",
    "timestream",
    "timestreaminfluxdb",
)


def start() -> None:
    """Install every room and start what runs in it: the project's own, then those of other distributions."""
    rooms = [import_module(f"{__name__}.{name}.room") for name in ROOMS]
    rooms += [entry_point.load() for entry_point in sorted(entry_points(group=GROUP), key=lambda room: room.name)]
    for room in rooms:
        if hasattr(room, "start"):
            room.start()
