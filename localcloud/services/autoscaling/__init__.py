"""Auto Scaling: what moto lacks."""
