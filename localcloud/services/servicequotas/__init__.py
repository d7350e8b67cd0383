"""Service Quotas: what an account may have, and how it gets more."""
