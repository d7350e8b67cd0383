"""AWS IAM: what is judged of policies."""
