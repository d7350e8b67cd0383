"""How much time the functions have that keep search, graph and trends in step: function, queue and clients agree here.

A function's clients give up long before the function's own time is over, so it always answers for each message. Both
functions and their infrastructure take these figures from here.
"""

from __future__ import annotations

CONNECT_SECONDS = 2
"""How long a client waits for a connection."""

READ_SECONDS = 3
"""How long a client waits for an answer."""

REQUEST_SECONDS = CONNECT_SECONDS + READ_SECONDS
"""The most that one request takes: no client tries twice, because the queue and the stream bring everything again."""

BULK_SECONDS = 20
"""How long OpenSearch may take, for a connection and for its answer to a batch of documents."""

MESSAGE_REQUESTS = 5
"""The most requests for one rental: count of attempts, graph, secret, trends, dead letter."""

MESSAGE_SECONDS = MESSAGE_REQUESTS * REQUEST_SECONDS
"""The most that one rental takes. With less time than that left, a run begins no further one."""

TIMEOUT_SECONDS = 60
"""How long a run of either function may take."""

VISIBILITY_SECONDS = 6 * TIMEOUT_SECONDS
"""How long a message that was received stays hidden; AWS asks for six times the timeout of its function.

Source: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html.
"""

BATCH_MESSAGES = 10
"""The most rentals in a run."""

MESSAGE_BYTES = 128 * 1024
"""The most that a rental's event may have: as JSON text in a dead letter at most twice as much, below 400 KB."""

ATTEMPTS = 10
"""How often a rental's event is tried before it is given up."""

RECEIVES = 1000
"""How often the queue hands a rental out; SQS does not count further. A receipt may be spent waiting behind another
rental of the same batch, so it is at least the attempts of a whole batch.
"""

PATIENCE_SECONDS = 3600
"""How long a change of the film library waits for OpenSearch before it is given up."""

CHANGE_BYTES = 300_000
"""The most of a film's change that goes into a dead letter as it is; DynamoDB takes 400 KB as one item."""
