"""AWS Budgets: resource types of CloudFormation."""
