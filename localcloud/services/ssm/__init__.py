"""AWS Systems Manager: resource types of CloudFormation."""
