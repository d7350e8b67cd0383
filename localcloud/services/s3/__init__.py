"""Amazon S3: what moto lacks."""
