"""AWS CloudTrail: an empty answer for those who ask."""
