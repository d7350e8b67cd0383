"""Permissions that several roles have."""

from aws_cdk import aws_iam


def put_metrics(namespace: str) -> aws_iam.PolicyStatement:
    """Return the permission to send metrics into one namespace.

        role.add_to_policy(put_metrics(Namespace.TRAINING))

    Metrics have no ARNs, so the statement names every resource, and a condition confines it to the namespace.
    """
    return aws_iam.PolicyStatement(
        actions=["cloudwatch:PutMetricData"],
        resources=["*"],
        conditions={"StringEquals": {"cloudwatch:namespace": namespace}},
    )
