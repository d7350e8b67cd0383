"""Where properties and the API's parameters differ in more than their names (``types.yaml`` refers to these)."""

import functools
import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

from localcloud.cloud.background import client
from localcloud.cloudformation.translation import Properties


def security_group(values: Properties) -> Properties:
    """Rules within the group become calls; rules for leaving traffic replace the default one."""
    rest = {key: item for key, item in values.items() if not key.startswith("SecurityGroup")}
    for direction in ("Ingress", "Egress"):
        if rules := values.get(f"SecurityGroup{direction}"):
            rest[direction] = [{"IpPermissions": [_permission(rule)]} for rule in rules]
    if "Egress" in rest:
        everything = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
        rest = {"DefaultEgress": {"IpPermissions": [everything]}, **rest}
    return rest


def security_group_rule(values: Properties) -> Properties:
    """One rule beside its group."""
    return {"GroupId": values["GroupId"], "IpPermissions": [_permission(values)]}


def _permission(rule: Properties) -> Properties:
    peers = {
        "IpRanges": ("CidrIp", rule.get("CidrIp")),
        "Ipv6Ranges": ("CidrIpv6", rule.get("CidrIpv6")),
        "UserIdGroupPairs": ("GroupId", rule.get("SourceSecurityGroupId") or rule.get("DestinationSecurityGroupId")),
        "PrefixListIds": ("PrefixListId", rule.get("SourcePrefixListId") or rule.get("DestinationPrefixListId")),
    }
    description = {key: rule[key] for key in ("Description",) if key in rule}
    permission = {key: rule[key] for key in ("IpProtocol", "FromPort", "ToPort") if key in rule}
    return permission | {name: [{key: peer, **description}] for name, (key, peer) in peers.items() if peer}


def address(values: Properties) -> Properties:
    """Tags are given as the address is: it is tagged by another id than that it has in templates."""
    tags = values.pop("Tags", None)
    return values | _given(TagSpecifications=[{"ResourceType": "elastic-ip", "Tags": tags}] if tags else None)


def scaling_group(values: Properties) -> Properties:
    """Tags say whose they are."""
    owner = {"ResourceId": values["AutoScalingGroupName"], "ResourceType": "auto-scaling-group"}
    return values | _given(Tags=[{**tag, **owner} for tag in values.get("Tags", [])])


def role(values: Properties) -> Properties:
    """Who may assume it has another name in an update."""
    return {**values, "PolicyDocument": values["AssumeRolePolicyDocument"]}


def inline_policy(values: Properties) -> Properties:
    """One document, put on each role."""
    document = values.pop("PolicyDocument")
    return {**values, "Roles": [{"RoleName": name, "PolicyDocument": document} for name in values.get("Roles", [])]}


def rule(values: Properties) -> Properties:
    """Targets are put and removed by calls of their own, which name the rule's event bus, too."""
    targets = values.pop("Targets", [])
    bus = _given(EventBusName=values.get("EventBusName"))
    call = {**bus, "Targets": targets, "Ids": [target["Id"] for target in targets]}
    return values | _given(TargetCalls=[call] if targets else None)


def function(values: Properties) -> Properties:
    """Code is one archive; inline code is a file in it. Updates take it unwrapped."""
    code = values["Code"]
    if "ZipFile" in code:
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr(zipfile.ZipInfo("index.py"), code["ZipFile"])
        code = {"ZipFile": archive.getvalue()}
    return {**values, "Code": code, **code}


def topic(values: Properties) -> Properties:
    """Everything but name and tags is an attribute, set one by one; subscriptions are calls."""
    plain = {key: values.pop(key) for key in ("Name", "Tags") if key in values}
    subscriptions = values.pop("Subscription", [])
    settings = [{"AttributeName": key, "AttributeValue": _text(item)} for key, item in values.items()]
    return plain | _given(Settings=settings, Subscription=subscriptions)


def subscription(values: Properties) -> Properties:
    """Everything but topic, protocol and address is an attribute."""
    values.pop("Region", None)
    plain = {key: values.pop(key) for key in ("TopicArn", "Protocol", "Endpoint", "ReturnSubscriptionArn")}
    settings = [{"AttributeName": key, "AttributeValue": _text(item)} for key, item in values.items()]
    return plain | _given(Settings=settings)


def topic_policy(values: Properties) -> Properties:
    """One document, set on each topic."""
    policy = {"AttributeName": "Policy", "AttributeValue": _text(values["PolicyDocument"])}
    return {"Name": values["Name"], "Topics": [{"TopicArn": arn, **policy} for arn in values["Topics"]]}


def queue(values: Properties) -> Properties:
    """Everything but name and tags is an attribute."""
    if values.get("FifoQueue") and not values["QueueName"].endswith(".fifo"):  # as CloudFormation makes its names
        values = {**values, "QueueName": f"{values['QueueName']}.fifo"}
    plain = {key: values.pop(key) for key in ("QueueName", "Tags") if key in values}
    return plain | _given(Attributes={key: _text(item) for key, item in values.items()})


def queue_policy(values: Properties) -> Properties:
    """One document, set on each queue."""
    policy = {"Policy": _text(values["PolicyDocument"])}
    return {"Name": values["Name"], "Queues": [{"QueueUrl": url, "Attributes": policy} for url in values["Queues"]]}


def key(values: Properties) -> Properties:
    """Tags have names of their own; rotation is a call."""
    tags = [{"TagKey": tag["Key"], "TagValue": tag["Value"]} for tag in values.pop("Tags", [])]
    rotation: list[Properties] = [{}] if values.pop("EnableKeyRotation", False) in (True, "true") else []
    return values | _given(Tags=tags, EnableKeyRotation=rotation)


def bucket(values: Properties) -> Properties:
    """Each aspect of a bucket has its own call, some under other names."""
    if encryption := values.pop("BucketEncryption", None):
        renamed = {"ServerSideEncryptionByDefault": "ApplyServerSideEncryptionByDefault"}
        rules = encryption["ServerSideEncryptionConfiguration"]
        fitted = [{renamed.get(name, name): item for name, item in rule.items()} for rule in rules]
        values["ServerSideEncryptionConfiguration"] = {"Rules": fitted}
    if lifecycle := values.pop("LifecycleConfiguration", None):
        values["LifecycleConfiguration"] = {"Rules": [_lifecycle(rule) for rule in lifecycle["Rules"]]}
    if tags := values.pop("Tags", None):
        values["Tagging"] = {"TagSet": tags}
    if logging := values.pop("LoggingConfiguration", None):
        target = {"TargetBucket": logging.get("DestinationBucketName", values["Bucket"])}
        prefix = {"TargetPrefix": logging.get("LogFilePrefix", "")}
        values["BucketLoggingStatus"] = {"LoggingEnabled": target | prefix}
    return values


LIFECYCLE: dict[str, Callable[[Any], Properties]] = {
    "ExpirationInDays": lambda days: {"Expiration": {"Days": days}},
    "Transitions": lambda items: {
        "Transitions": [{"StorageClass": i["StorageClass"], "Days": i["TransitionInDays"]} for i in items]
    },
    "NoncurrentVersionExpiration": lambda rule: {"NoncurrentVersionExpiration": rule},
    "AbortIncompleteMultipartUpload": lambda rule: {"AbortIncompleteMultipartUpload": rule},
}


def _lifecycle(rule: Properties) -> Properties:
    fitted = {"Status": rule["Status"], "Filter": {"Prefix": rule.get("Prefix", "")}} | _given(ID=rule.get("Id"))
    for name, item in rule.items():
        if name in LIFECYCLE:
            fitted |= LIFECYCLE[name](item)
        elif name not in ("Status", "Prefix", "Id"):
            raise ValueError(f"property LifecycleConfiguration.Rules.{name} is not supported by the local cloud")
    return fitted


def table(values: Properties) -> Properties:
    """A stream is on when it is described; a changed list of indexes is one change of the table's indexes."""
    values = {"BillingMode": "PROVISIONED", **values}
    if "StreamSpecification" in values:
        values["StreamSpecification"] = {"StreamEnabled": True, **values["StreamSpecification"]}
    return values | _given(GlobalSecondaryIndexUpdates=_index_updates(values))


def _index_updates(values: Properties) -> list[Properties]:
    """What makes an existing table's indexes those that are wanted; AWS takes one change an update."""
    dynamodb = client("dynamodb")
    try:
        found = dynamodb.describe_table(TableName=values["TableName"])["Table"]
    except dynamodb.exceptions.ResourceNotFoundException:
        return []
    before, wanted = (
        {index["IndexName"]: (index["KeySchema"], index["Projection"]) for index in indexes}
        for indexes in (found.get("GlobalSecondaryIndexes", []), values.get("GlobalSecondaryIndexes", []))
    )
    gone = [name for name in before if before[name] != wanted.get(name)]
    new = [index for index in values.get("GlobalSecondaryIndexes", []) if index["IndexName"] in wanted.keys() - before]
    new += [index for index in values.get("GlobalSecondaryIndexes", []) if index["IndexName"] in {*gone}]
    if len(gone) + len(new) > 1:
        raise ValueError("Cannot perform more than one GSI creation or deletion in a single update")
    return [{"Delete": {"IndexName": name}} for name in gone] + [{"Create": index} for index in new]


def budget(values: Properties) -> Properties:
    """Its name stands in what it is."""
    return {**values, "Budget": {"BudgetName": values["BudgetName"], **values["Budget"]}}


def compute_environment(values: Properties) -> Properties:
    """AWS Batch makes its own role where none is given; there are no images to update."""
    if resources := values.get("ComputeResources"):
        kept = {name: item for name, item in resources.items() if name != "UpdateToLatestImageVersion"}
        values = {**values, "ComputeResources": kept}
    if "serviceRole" in values:
        return values
    iam = client("iam")
    try:
        found = iam.create_service_linked_role(AWSServiceName="batch.amazonaws.com")["Role"]
    except iam.exceptions.ClientError:
        found = iam.get_role(RoleName="AWSServiceRoleForBatch")["Role"]
    return {**values, "serviceRole": found["Arn"]}


def parameter(values: Properties) -> Properties:
    """Tags are a call of their own: overwriting does not take them."""
    tags = values.pop("Tags", None)
    keys = [tag["Key"] for tag in tags] if isinstance(tags, list) else [*(tags or {})]
    tagging = {"ResourceType": "Parameter", "ResourceId": values["Name"], "Tags": tags, "TagKeys": keys}
    return values | _given(Tagging=tagging if tags else None)


def secret(values: Properties) -> Properties:
    """Where a value is to be made up, AWS makes it up."""
    if generator := values.pop("GenerateSecretString", None):
        values["SecretString"] = _generated(values["Name"], json.dumps(generator, sort_keys=True))
    return values


def secret_attachment(values: Properties) -> Properties:
    """How to reach a database stands in the secret beside its credentials, as AWS writes it."""
    kind, target = values.pop("TargetType"), values.pop("TargetId")
    if kind != "AWS::RDS::DBInstance":
        raise ValueError(f"property TargetType: {kind} is not supported by the local cloud")
    found = client("rds").describe_db_instances(DBInstanceIdentifier=target)["DBInstances"][0]
    access = {
        "engine": found["Engine"],
        "host": found["Endpoint"]["Address"],
        "port": found["Endpoint"]["Port"],
        "dbInstanceIdentifier": target,
    } | _given(dbname=found.get("DBName"))
    current = client("secretsmanager").get_secret_value(SecretId=values["SecretId"])["SecretString"]
    return {**values, "SecretString": json.dumps(json.loads(current) | access)}


def database_parameters(values: Properties) -> Properties:
    """Parameters are a list, each with the time when it is applied."""
    parameters = [
        {"ParameterName": name, "ParameterValue": _text(item), "ApplyMethod": "pending-reboot"}
        for name, item in values.pop("Parameters", {}).items()
    ]
    return values | _given(Parameters=parameters)


@functools.cache  # an update that does not ask for another one keeps the value
def _generated(_name: str, generator: str) -> str:
    options = json.loads(generator)
    template, key = options.pop("SecretStringTemplate", "{}"), options.pop("GenerateStringKey", None)
    password: str = client("secretsmanager").get_random_password(
        **{name: int(item) if name == "PasswordLength" else item for name, item in options.items()}
    )["RandomPassword"]
    return json.dumps({**json.loads(template), key: password}) if key else password


def _given(**values: Any) -> Properties:
    return {name: item for name, item in values.items() if item not in (None, [], {})}


def _text(value: Any) -> str:
    if isinstance(value, dict | list):
        return json.dumps(value)
    return str(value).lower() if isinstance(value, bool) else str(value)
