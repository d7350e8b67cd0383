"""What gunicorn serves: `workloads.storefront.wsgi:app`, set up by the environment."""

from __future__ import annotations

from workloads.storefront.application import create_app
from workloads.storefront.settings import Settings

app = create_app(Settings.from_environment())
