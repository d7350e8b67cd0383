"""Amazon ECR: resource types of CloudFormation."""
