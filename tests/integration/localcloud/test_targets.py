"""What a load balancer of a template passes requests to, and by which rules."""

from __future__ import annotations

from typing import Any

from localcloud import LocalCloud
from tests.stacks import Stack, ref, resource

Json = dict[str, Any]
NETWORK = {
    "Vpc": resource("EC2::VPC", CidrBlock="10.0.0.0/16"),
    "Subnet": resource("EC2::Subnet", VpcId=ref("Vpc"), CidrBlock="10.0.0.0/24", AvailabilityZone="us-east-1a"),
    "Other": resource("EC2::Subnet", VpcId=ref("Vpc"), CidrBlock="10.0.1.0/24", AvailabilityZone="us-east-1b"),
}


def test_the_targets_of_a_group_come_and_go(cloud: LocalCloud) -> None:
    machines = {
        name: resource("EC2::Instance", ImageId="ami-03cf127a", InstanceType="t3.micro", SubnetId=ref("Subnet"))
        for name in ("First", "Second")
    }

    def group(**properties: Any) -> Json:
        return resource("ElasticLoadBalancingV2::TargetGroup", VpcId=ref("Vpc"), Port=80, Protocol="HTTP", **properties)

    def registered() -> list[tuple[str, int]]:
        arn = stack.physical("Group")
        found = cloud.client("elbv2").describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
        return [(item["Target"]["Id"], item["Target"]["Port"]) for item in found]

    parts = {**NETWORK, **machines}
    stack = Stack(cloud, **parts, Group=group(Targets=[{"Id": ref("First"), "Port": 8080}]))
    first = stack.physical("Group")
    assert registered() == [(stack.physical("First"), 8080)]
    assert stack.update(**parts, Group=group(Targets=[{"Id": ref("Second")}])) == "UPDATE_COMPLETE"
    assert registered() == [(stack.physical("Second"), 80)]
    assert stack.update(**parts, Group=group()) == "UPDATE_COMPLETE"
    assert (registered(), stack.physical("Group")) == ([], first)
    assert stack.update(**parts, Group=group(Targets=[{"Id": ref("First")}])) == "UPDATE_COMPLETE"
    cloud.client("ec2").terminate_instances(InstanceIds=[stack.physical("First")])
    stack.delete()


def test_a_rule_of_a_listener_changes_and_goes(cloud: LocalCloud) -> None:
    def rule(path: str, **properties: Any) -> Json:
        fixed = {"ListenerArn": ref("Listener"), "Priority": 5}
        conditions = [{"Field": "path-pattern", "PathPatternConfig": {"Values": [path]}}]
        answer = {"StatusCode": "404", "ContentType": "text/plain", "MessageBody": path}
        actions = [{"Type": "fixed-response", "FixedResponseConfig": answer}]
        return resource(
            "ElasticLoadBalancingV2::ListenerRule", **fixed, Conditions=conditions, Actions=actions, **properties
        )

    default = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}]
    parts = {
        **NETWORK,
        "Balancer": resource("ElasticLoadBalancingV2::LoadBalancer", Subnets=[ref("Subnet"), ref("Other")]),
        "Listener": resource(
            "ElasticLoadBalancingV2::Listener",
            LoadBalancerArn=ref("Balancer"),
            Port=80,
            Protocol="HTTP",
            DefaultActions=default,
        ),
    }
    stack, elb = Stack(cloud, **parts, Rule=rule("/a/*")), cloud.client("elbv2")

    def rules() -> list[tuple[str, list[str], str]]:
        found = elb.describe_rules(ListenerArn=stack.physical("Listener"))["Rules"]
        return [
            (
                item["Priority"],
                item["Conditions"][0]["PathPatternConfig"]["Values"],
                item["Actions"][0]["FixedResponseConfig"]["MessageBody"],
            )
            for item in found
            if not item["IsDefault"]
        ]

    first = stack.physical("Rule")
    assert rules() == [("5", ["/a/*"], "/a/*")]
    assert stack.update(**parts, Rule=rule("/b/*")) == "UPDATE_COMPLETE"
    assert (rules(), stack.physical("Rule")) == ([("5", ["/b/*"], "/b/*")], first)
    assert stack.update(**parts) == "UPDATE_COMPLETE"
    assert rules() == []
    stack.delete()
