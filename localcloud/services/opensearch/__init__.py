"""Amazon OpenSearch Service: a server of its API behind each domain."""
