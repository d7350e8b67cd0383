"""Amazon SQS: resource types of CloudFormation."""
