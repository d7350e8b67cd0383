"""Elastic Load Balancing: resource types of CloudFormation."""
