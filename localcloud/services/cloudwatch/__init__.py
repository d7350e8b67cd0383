"""Amazon CloudWatch: alarms ring, and services send their metrics."""
