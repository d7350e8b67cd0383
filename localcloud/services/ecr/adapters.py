"""How properties of CloudFormation become parameters of Amazon ECR, where more than a name differs."""

from __future__ import annotations

from localcloud.cloudformation.translation import Properties, as_text


def repository(values: Properties) -> Properties:
    """Send policies as text; the lifecycle policy has its text one level below."""
    if "lifecyclePolicyText" in values:
        values = {**values, "lifecyclePolicyText": values["lifecyclePolicyText"]["LifecyclePolicyText"]}
    if "policyText" in values:
        values = {**values, "policyText": as_text(values["policyText"])}
    return values
