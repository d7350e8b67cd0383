"""Everything that moto lacks, installed in one place."""

from localcloud import (  # noqa: F401 (they hook into moto when they are imported)
    alarms,
    databases,
    dynamodb,
    event_sources,
    events,
    functions,
    identity,
    influxdb,
    instances,
    jobs,
    mailbox,
    metrics,
    neptune,
    one_off,
    opensearch,
    parameter_groups,
    quirks,
    timestream,
)
from localcloud.background import every
from localcloud.cloudformation import api, engine  # noqa: F401


def start() -> None:
    """Install the resource types, and start what runs on its own."""
    api.install()
    every(1, alarms.evaluate_alarms)
    every(1, metrics.measure_queues)
    every(5, databases.measure_databases)
    every(0.2, event_sources.poll)
