"""AWS Secrets Manager: resource types of CloudFormation."""
