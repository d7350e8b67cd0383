"""Everything that moto lacks, installed in one place.

The modules hook into moto when they are imported.
"""

from localcloud import (
    alarms,
    databases,
    event_sources,
    events,
    functions,
    influxdb,
    instances,
    jobs,
    mailbox,
    metrics,
    neptune,
    one_off,
    opensearch,
    quirks,
    timestream,
)
from localcloud.background import every
from localcloud.cloudformation import api, engine

INSTALLED = (
    alarms,
    databases,
    engine,
    event_sources,
    events,
    functions,
    influxdb,
    instances,
    jobs,
    mailbox,
    metrics,
    neptune,
    one_off,
    opensearch,
    quirks,
    timestream,
)


def start() -> None:
    """Install the resource types, and start what runs on its own."""
    api.install()
    every(1, alarms.evaluate_alarms)
    every(1, metrics.measure_queues)
    every(5, databases.measure_databases)
    every(0.2, event_sources.poll)
