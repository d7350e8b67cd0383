"""CloudFormation, completed.

moto gap: its engine skips unknown resource types in silence, replaces where it should update, never
rolls back, and creates resources from whoever describes a stack. moto's templates, parameters and
API stay; deployments, resource types and property checks are ours.
"""
