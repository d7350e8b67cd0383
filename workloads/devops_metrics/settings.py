"""What a simulated fleet is like."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

SERVICES = ("checkout", "search", "catalogue", "login", "payment", "recommendation", "shipping", "mail")


class FleetSettings(BaseModel):
    """What to simulate."""

    services: Annotated[int, Field(ge=1, le=len(SERVICES))] = Field(4, description="Services of the fleet.")
    hosts: Annotated[int, Field(ge=1, le=1000)] = Field(5, description="Hosts of each service.")
    days: Annotated[int, Field(ge=1, le=400)] = Field(14, description="Days, up to now.")
    interval: Annotated[int, Field(ge=1, le=3600)] = Field(60, description="Seconds between two rows of a host.")
    incidents: Annotated[int, Field(ge=0, le=1000)] = Field(12, description="Incidents among all hosts.")
    missing: Annotated[float, Field(ge=0, lt=1)] = Field(0.002, description="Share of rows that are missing.")
    seed: Annotated[int, Field(ge=0)] = Field(0, description="Seed of the random numbers.")
