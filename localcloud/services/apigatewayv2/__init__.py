"""Amazon API Gateway: HTTP APIs in front of functions."""
