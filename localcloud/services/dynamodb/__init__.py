"""Amazon DynamoDB: each request takes effect as a whole."""
