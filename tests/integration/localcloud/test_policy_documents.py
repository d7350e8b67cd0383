"""Policies that a service does not take are refused when they are given to it, by the service's own error."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from localcloud import LocalCloud
from tests.policies import trust

Give = Callable[[str], Any]
SERVICE = {"Service": "lambda.amazonaws.com"}
NOBODY = {"AWS": "arn:aws:iam::123456789012:role/nobody"}
MALFORMED = "MalformedPolicyDocument"


def document(**elements: Any) -> str:
    """A policy of one statement; elements that are None are left out."""
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*"} | elements
    statement = {name: value for name, value in statement.items() if value is not None}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture(scope="module")
def given(cloud: LocalCloud) -> dict[str, Give]:
    """What gives a policy to each kind of resource."""
    name = f"policies-{uuid4().hex[:8]}"
    iam, sns, kms, ecr = (cloud.client(service) for service in ("iam", "sns", "kms", "ecr"))
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust("lambda"))
    cloud.client("s3").create_bucket(Bucket=name)
    queue = cloud.client("sqs").create_queue(QueueName=name)["QueueUrl"]
    topic = sns.create_topic(Name=name)["TopicArn"]
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    secret = cloud.client("secretsmanager").create_secret(Name=name, SecretString="any")["ARN"]
    ecr.create_repository(repositoryName=name)
    return {
        "inline": lambda text: iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=text),
        "managed": lambda text: iam.create_policy(PolicyName=f"p-{uuid4().hex[:8]}", PolicyDocument=text),
        "trust": lambda text: iam.update_assume_role_policy(RoleName=name, PolicyDocument=text),
        "new role": lambda text: iam.create_role(RoleName=f"r-{uuid4().hex[:8]}", AssumeRolePolicyDocument=text),
        "bucket": lambda text: cloud.client("s3").put_bucket_policy(Bucket=name, Policy=text),
        "queue": lambda text: cloud.client("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"Policy": text}),
        "topic": lambda text: sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=text),
        "key": lambda text: kms.put_key_policy(
            KeyId=key, PolicyName="default", Policy=text, BypassPolicyLockoutSafetyCheck=True
        ),
        "secret": lambda text: cloud.client("secretsmanager").put_resource_policy(SecretId=secret, ResourcePolicy=text),
        "logs": lambda text: cloud.client("logs").put_resource_policy(policyName=name, policyDocument=text),
        "repository": lambda text: ecr.set_repository_policy(repositoryName=name, policyText=text),
        "domain": lambda text: cloud.client("opensearch").create_domain(DomainName=name[-20:], AccessPolicies=text),
    }


ROLE = {"Action": "sts:AssumeRole", "Resource": None, "Principal": SERVICE}
OWNED = {"Principal": SERVICE}
BASE = {"inline": {}, "managed": {}, "trust": ROLE, "new role": ROLE, "repository": OWNED | {"Resource": None}}


@pytest.mark.parametrize(
    "kind", ["inline", "managed", "trust", "new role", "bucket", "queue", "topic", "key", "secret"]
)
def test_a_policy_of_good_grammar_is_taken(given: dict[str, Give], kind: str) -> None:
    given[kind](document(**BASE.get(kind, OWNED)))


@pytest.mark.parametrize("version", ["2008-10-17", None])
def test_only_a_managed_policy_must_be_of_the_later_version(given: dict[str, Give], version: str | None) -> None:
    text = json.loads(document())
    del text["Version"]
    if version:
        text["Version"] = version
    given["inline"](json.dumps(text))
    with pytest.raises(ClientError, match="Policy document must be version 2012-10-17 or greater"):
        given["managed"](json.dumps(text))


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("inline", MALFORMED),
        ("managed", MALFORMED),
        ("trust", MALFORMED),
        ("new role", MALFORMED),
        ("bucket", "MalformedPolicy"),
        ("queue", "InvalidAttributeValue"),
        ("topic", "InvalidParameter"),
        ("key", "MalformedPolicyDocumentException"),
        ("secret", "MalformedPolicyDocumentException"),
        ("logs", "InvalidParameterException"),
        ("repository", "InvalidParameterException"),
        ("domain", "ValidationException"),
    ],
)
@pytest.mark.parametrize(
    "wrong",
    [
        "{",
        "[]",
        '{"Version": "2020-01-01", "Statement": []}',
        {"Effect": "allow"},
        {"Colour": "red"},
        {"Action": None},
        {"Action": "PutObject"},
        {"Condition": {"StringLooksLike": {"aws:SourceAccount": "1"}}},
        {"Principal": {"Robot": "x"}},
        {"Principal": NOBODY},
    ],
    ids=["no JSON", "a list", "version", "effect", "element", "no action", "vendor", "operator", "kind", "nobody"],
)
def test_a_policy_that_its_service_does_not_take_is_refused(
    given: dict[str, Give], kind: str, code: str, wrong: str | dict[str, Any]
) -> None:
    text = wrong if isinstance(wrong, str) else document(**(BASE.get(kind, OWNED) | wrong))
    with pytest.raises(ClientError) as caught:
        given[kind](text)
    assert caught.value.response["Error"]["Code"] == code


@pytest.mark.parametrize(
    ("kind", "elements", "words"),
    [
        ("inline", {"Principal": SERVICE}, "Policy document should not specify a principal."),
        ("inline", {"Resource": None}, "Policy statement must contain resources."),
        ("inline", {"Sid": "a" * 11_000}, "Maximum policy size of 10240 bytes exceeded for role"),
        ("managed", {"Sid": "a" * 7000}, "Cannot exceed quota for PolicySize: 6144"),
        ("trust", ROLE | {"Sid": "a" * 3000}, "Cannot exceed quota for ACLSizePerRole: 2048"),
        ("trust", ROLE | {"Resource": "*"}, "Has prohibited field Resource"),
        (
            "trust",
            ROLE | {"Principal": NOBODY},
            'Invalid principal in policy: "AWS":"arn:aws:iam::123456789012:role/n',
        ),
        ("new role", ROLE | {"Principal": None}, "The passed in policy has a statement with no principals!"),
        ("bucket", None, "Could not parse the policy: Statement is empty!"),
        ("bucket", {}, "Missing required field Principal"),
        ("bucket", {"Principal": NOBODY}, "Invalid principal in policy"),
        ("bucket", OWNED | {"Condition": {"Like": {"a:b": "c"}}}, "Invalid Condition type : Like"),
        ("bucket", OWNED | {"Sid": "a" * 21_000}, ""),
        ("topic", {"Principal": NOBODY}, "Policy Error: PrincipalNotFound"),
        ("key", {"Principal": NOBODY}, "Policy contains a statement with one or more invalid principals."),
        ("secret", {"Principal": NOBODY}, "This resource policy contains an unsupported principal."),
    ],
)
def test_a_refusal_has_the_services_words(
    given: dict[str, Give], kind: str, elements: dict[str, Any] | None, words: str
) -> None:
    text = '{"Version": "2012-10-17", "Statement": []}' if elements is None else document(**elements)
    with pytest.raises(ClientError) as caught:
        given[kind](text)
    assert words in caught.value.response["Error"]["Message"]


def test_principals_of_other_accounts_and_those_that_exist_are_taken(cloud: LocalCloud, given: dict[str, Give]) -> None:
    name = f"known-{uuid4().hex[:8]}"
    arn = cloud.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=trust("lambda"))["Role"]["Arn"]
    elsewhere = "arn:aws:iam::999999999999:role/somebody"
    principal = {"AWS": [arn, elsewhere, "999999999999", "arn:aws:iam::123456789012:root", "*"]}
    given["bucket"](document(Principal=principal))
    given["key"](document(Principal=principal))
