"""AWS KMS: key policies of encrypted topics and queues are judged."""
