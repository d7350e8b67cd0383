"""What a bootstrapped account has, ready before the first request."""

import json

from localcloud.account import ACCOUNT, REGION
from localcloud.background import client

QUALIFIER = "hnb659fds"
BOOTSTRAP_VERSION = "30"
ROLES = ("cfn-exec", "deploy", "file-publishing", "image-publishing", "lookup")


def seed() -> None:
    """Do in milliseconds what ``cdk bootstrap`` does."""
    client("s3").create_bucket(Bucket=f"cdk-{QUALIFIER}-assets-{ACCOUNT}-{REGION}")
    version = f"/cdk-bootstrap/{QUALIFIER}/version"
    client("ssm").put_parameter(Name=version, Value=BOOTSTRAP_VERSION, Type="String")
    statement = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    for role in ROLES:
        name = f"cdk-{QUALIFIER}-{role}-role-{ACCOUNT}-{REGION}"
        client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=trust)
