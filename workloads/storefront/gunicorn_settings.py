"""How gunicorn serves the storefront: `gunicorn -c python:workloads.storefront.gunicorn_settings …`."""

from __future__ import annotations

import sys
from typing import Any

from gunicorn.glogging import Logger

from workloads.storefront.telemetry import origin


class AnonymousLogger(Logger):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's log without what visitors sent, which its warnings and tracebacks would quote."""

    def warning(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """Log a warning; of a request that cannot be read, only that it was refused."""
        if "Invalid request" in msg:
            msg, args = "A request that cannot be read was refused.", ()
        super().warning(msg, *args, **kwargs)

    def exception(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """Log an exception; where it happened in a request, without the request's address and what it had to say."""
        if "request" in msg:
            self.error("%s\n%s", msg.partition("%")[0].strip(), origin(sys.exception()))
        else:
            super().exception(msg, *args, **kwargs)


bind = "127.0.0.1:8000"  # Apache stands in front
wsgi_app = "workloads.storefront.wsgi:app"
workers = 2
worker_class = "gthread"  # threads wait for the database; for slow visitors Apache waits, with threads of its own
threads = 8
timeout = 30  # a process that gives no sign of life for so long is replaced
graceful_timeout = 20
keepalive = 5  # longer than Apache uses an idle connection
limit_request_line = 4094  # Apache's limits are narrower, so that it is Apache that refuses
limit_request_fields = 60
limit_request_field_size = 8190
# By default gunicorn lets whoever connects from this machine say where the application is mounted (SCRIPT_NAME) and
# that a request came by HTTPS. That is Apache, which passes on what visitors send, so no header is believed here. The
# application itself reads X-Forwarded-For and X-Forwarded-Proto, which Apache sets.
forwarded_allow_ips = ""
forwarder_headers = ""
header_map = "drop"  # a name with an underscore would look like another header's
max_requests = 50_000  # a fresh worker now and then
max_requests_jitter = 5_000
proc_name = "storefront"
control_socket_disable = True
logger_class = AnonymousLogger
errorlog = "-"
accesslog = None  # the application writes one line per request
