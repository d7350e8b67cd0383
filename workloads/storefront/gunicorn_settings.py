"""How gunicorn serves the storefront: `gunicorn -c python:workloads.storefront.gunicorn_settings …`."""

bind = "127.0.0.1:8000"  # Apache stands in front
wsgi_app = "workloads.storefront.wsgi:app"
workers = 2
worker_class = "gthread"
threads = 8
timeout = 30
graceful_timeout = 20
keepalive = 5
limit_request_line = 2048
limit_request_fields = 50
limit_request_field_size = 8190
max_requests = 50_000  # a fresh worker now and then
max_requests_jitter = 5_000
proc_name = "storefront"
control_socket_disable = True
errorlog = "-"
accesslog = None  # the application writes a line a request
