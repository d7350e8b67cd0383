"""Amazon EC2 and Auto Scaling: instances tell their states, and one-off instances run."""
