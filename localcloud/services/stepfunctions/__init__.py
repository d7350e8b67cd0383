"""AWS Step Functions: state machines that moto's interpreter runs against the cloud's own services."""
