"""Define the servers of the web application: one instance with its own address, or a group behind a load balancer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from aws_cdk import (
    Aws,
    CfnCreationPolicy,
    CfnResource,
    CfnResourceSignal,
    CfnUpdatePolicy,
    Fn,
    aws_autoscaling,
    aws_ec2,
    aws_iam,
)
from aws_cdk import aws_elasticloadbalancingv2 as elb
from constructs import Construct

from infra.constructs.instances import instance_profile, launch_template
from infra.constructs.security_groups import security_group
from infra.guardrails import acknowledge
from infra.parameters import text, value_or
from infra.settings.web_app import WebAppSettings
from infra.web_app.network import WebNetwork, connect, open_to_visitors

SCRIPT = Path(__file__).with_name("user_data.sh")
START_TIMEOUT = "PT15M"
INSTANCE, GROUP = "Instance", "AutoScalingGroup"


@dataclass(frozen=True)
class Servers:
    """The servers of a mode, as the rest of the stack uses them.

    Attributes:
        address: Host name or address of the site.
        metrics: Name and value of the dimension under which EC2 reports on the instances.
        resource: The resource that starts the instances and waits for their signal.
    """

    address: str
    metrics: tuple[str, str]
    resource: CfnResource


def user_data(environment: dict[str, str]) -> str:
    """Return the start script, with the values of a deployment above its first statement, in Base64 for EC2."""
    first, _, rest = SCRIPT.read_text(encoding="utf-8").partition("\n")
    places = {name: "".join(word.title() for word in name.split("_")) for name in environment}
    exports = "".join(f"export {name}='${{{place}}}'\n" for name, place in places.items())
    script = f"{first}\n{exports}{rest.replace('${', '${!')}"
    return Fn.base64(Fn.sub(script, {places[name]: value for name, value in environment.items()}))


def template(
    scope: Construct,
    settings: WebAppSettings,
    network: WebNetwork,
    *,
    environment: dict[str, str],
    permissions: list[aws_iam.PolicyStatement],
    key_name: str | None,
) -> tuple[aws_ec2.CfnLaunchTemplate, aws_iam.InstanceProfile]:
    """Make the launch template of the instances of either mode, and their permissions."""
    profile = instance_profile(
        scope,
        "Instance",
        purpose="Runs the storefront, and lets Systems Manager reach the instance.",
        managed_policy="AmazonSSMManagedInstanceCore",
    )
    assert profile.role  # noqa: S101 - for the type checker
    for permission in permissions:
        profile.role.add_to_principal_policy(permission)
    launched = launch_template(
        scope,
        "LaunchTemplate",
        volume_gib=settings.volume_gib,
        instance_type=settings.instance_type,
        image_id=settings.machine_image,
        iam_instance_profile=aws_ec2.CfnLaunchTemplate.IamInstanceProfileProperty(arn=profile.instance_profile_arn),
        security_group_ids=[network.instances.security_group_id],
        monitoring=aws_ec2.CfnLaunchTemplate.MonitoringProperty(enabled=True),
        user_data=user_data(environment),
        key_name=key_name,
    )
    return launched, profile


def elastic_address(scope: Construct) -> aws_ec2.CfnEIP:
    """Make the address of a single instance, which outlives the instance."""
    address = aws_ec2.CfnEIP(scope, "Address", domain="vpc")
    address.tags.set_tag("Name", Aws.STACK_NAME)
    return address


def single(
    scope: Construct,
    settings: WebAppSettings,
    network: WebNetwork,
    launched: aws_ec2.CfnLaunchTemplate,
    address: aws_ec2.CfnEIP,
) -> Servers:
    """Make one instance. Any change replaces it; the new one takes over the address when it is ready."""
    open_to_visitors(scope, network.instances, settings.allowed_cidr)
    instance = aws_ec2.CfnInstance(
        scope,
        INSTANCE,
        launch_template=aws_ec2.CfnInstance.LaunchTemplateSpecificationProperty(
            launch_template_id=launched.ref, version=launched.attr_latest_version_number
        ),
        subnet_id=network.public_subnets[0],
        disable_api_termination=False,
    )
    instance.cfn_options.creation_policy = CfnCreationPolicy(
        resource_signal=CfnResourceSignal(count=1, timeout=START_TIMEOUT)
    )
    instance.tags.set_tag("Name", Aws.STACK_NAME)
    aws_ec2.CfnEIPAssociation(
        scope, "AddressOfInstance", allocation_id=address.attr_allocation_id, instance_id=instance.ref
    )
    acknowledge(
        instance,
        {
            "EC28": "The launch template turns detailed monitoring on.",
            "EC29": "It holds no data: an update replaces it, and so may anybody.",
        },
    )
    return Servers(address.ref, ("InstanceId", instance.ref), instance)


def balanced(
    scope: Construct, settings: WebAppSettings, network: WebNetwork, launched: aws_ec2.CfnLaunchTemplate
) -> Servers:
    """Make two instances or more, in both zones, behind a load balancer that does HTTPS with the given certificate."""
    group = security_group(scope, "Balancer", network.vpc, "The load balancer of the web application.")
    open_to_visitors(scope, group, settings.allowed_cidr)
    connect(scope, "BalancerToInstances", group, network.instances, port=80, protocol="HTTP")
    balancer = elb.CfnLoadBalancer(
        scope,
        "LoadBalancer",
        type="application",
        scheme="internet-facing",
        subnets=network.public_subnets,
        security_groups=[group.security_group_id],
        load_balancer_attributes=[
            elb.CfnLoadBalancer.LoadBalancerAttributeProperty(
                key="routing.http.drop_invalid_header_fields.enabled", value="true"
            )
        ],
    )
    reason = "The application logs every request to CloudWatch, and the VPC's flow logs have the visitors' addresses."
    acknowledge(balancer, {"ELB2": reason, "CKV_AWS_91": reason})
    targets = elb.CfnTargetGroup(
        scope,
        "Targets",
        vpc_id=network.vpc.vpc_id,
        port=80,
        protocol="HTTP",
        target_type="instance",
        health_check_path="/healthz",
        health_check_interval_seconds=15,
        healthy_threshold_count=2,
        unhealthy_threshold_count=3,
        target_group_attributes=[
            elb.CfnTargetGroup.TargetGroupAttributeProperty(key="deregistration_delay.timeout_seconds", value="30")
        ],
    )
    listener = elb.CfnListener(
        scope,
        "HttpsListener",
        load_balancer_arn=balancer.ref,
        port=443,
        protocol="HTTPS",
        ssl_policy="ELBSecurityPolicy-TLS13-1-2-2021-06",
        certificates=[elb.CfnListener.CertificateProperty(certificate_arn=settings.certificate_arn)],
        default_actions=[elb.CfnListener.ActionProperty(type="forward", target_group_arn=targets.ref)],
    )
    elb.CfnListener(
        scope,
        "HttpListener",
        load_balancer_arn=balancer.ref,
        port=80,
        protocol="HTTP",
        default_actions=[
            elb.CfnListener.ActionProperty(
                type="redirect",
                redirect_config=elb.CfnListener.RedirectConfigProperty(
                    protocol="HTTPS",
                    port="443",
                    host=value_or(scope, "HostName", settings.host_name, "#{host}"),
                    status_code="HTTP_301",
                ),
            )
        ],
    )
    instances = aws_autoscaling.CfnAutoScalingGroup(
        scope,
        GROUP,
        launch_template=aws_autoscaling.CfnAutoScalingGroup.LaunchTemplateSpecificationProperty(
            launch_template_id=launched.ref, version=launched.attr_latest_version_number
        ),
        min_size="2",
        max_size=text(settings.maximum_instances),
        vpc_zone_identifier=network.public_subnets,
        target_group_arns=[targets.ref],
        health_check_type="ELB",
        health_check_grace_period=600,
        metrics_collection=[aws_autoscaling.CfnAutoScalingGroup.MetricsCollectionProperty(granularity="1Minute")],
    )
    instances.tags.set_tag("Name", Aws.STACK_NAME, apply_to_launched_instances=True)
    instances.node.add_dependency(listener)
    instances.cfn_options.creation_policy = CfnCreationPolicy(
        resource_signal=CfnResourceSignal(count=2, timeout=START_TIMEOUT)
    )
    instances.cfn_options.update_policy = CfnUpdatePolicy(
        auto_scaling_rolling_update={
            "min_instances_in_service": 1,
            "pause_time": START_TIMEOUT,
            "wait_on_resource_signals": True,
        }
    )
    acknowledge(instances, {"AS3": "The alarms tell what matters; a mail for every launch would hide it."})
    aws_autoscaling.CfnScalingPolicy(
        scope,
        "ScalingPolicy",
        auto_scaling_group_name=instances.ref,
        policy_type="TargetTrackingScaling",
        target_tracking_configuration=aws_autoscaling.CfnScalingPolicy.TargetTrackingConfigurationProperty(
            predefined_metric_specification=aws_autoscaling.CfnScalingPolicy.PredefinedMetricSpecificationProperty(
                predefined_metric_type="ASGAverageCPUUtilization"
            ),
            target_value=60,
        ),
    )
    return Servers(balancer.attr_dns_name, ("AutoScalingGroupName", instances.ref), instances)
