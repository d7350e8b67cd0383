"""How properties of CloudFormation become parameters of AWS Batch, where more than a name differs."""

from __future__ import annotations

from localcloud.cloud.context import Cloud
from localcloud.cloudformation.translation import Properties


def compute_environment(cloud: Cloud, values: Properties) -> Properties:
    """Use the service-linked role of AWS Batch by default; images do not run here, so none is updated."""
    if resources := values.get("ComputeResources"):
        kept = {name: item for name, item in resources.items() if name != "UpdateToLatestImageVersion"}
        values = {**values, "ComputeResources": kept}
    if "serviceRole" in values:
        return values
    iam = cloud.client("iam")
    try:
        role = iam.create_service_linked_role(AWSServiceName="batch.amazonaws.com")["Role"]
    except iam.exceptions.ClientError:
        role = iam.get_role(RoleName="AWSServiceRoleForBatch")["Role"]
    return {**values, "serviceRole": role["Arn"]}
