"""AWS CloudTrail: an empty list of events."""
