"""What templates say of a bucket beside its versions and notifications: locks, other origins, acceleration."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud import LocalCloud
from tests.stacks import Stack, resource

Json = dict[str, Any]


def locked(mode: str, **period: int) -> Json:
    retention = {"Mode": mode, **period}
    return {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": retention}}


def test_a_bucket_locks_what_is_put_into_it(cloud: LocalCloud) -> None:
    def bucket(**lock: Any) -> Json:
        return resource("S3::Bucket", ObjectLockEnabled=True, ObjectLockConfiguration=lock)

    def described() -> Json:
        found: Json = s3.get_object_lock_configuration(Bucket=name)["ObjectLockConfiguration"]
        return found

    stack, s3 = Stack(cloud, Data=bucket(**locked("GOVERNANCE", Days=1))), cloud.client("s3")
    name = stack.physical("Data")
    assert described() == locked("GOVERNANCE", Days=1)
    assert s3.get_bucket_versioning(Bucket=name)["Status"] == "Enabled"
    kept = s3.put_object(Bucket=name, Key="a", Body=b"kept")["VersionId"]
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.delete_object(Bucket=name, Key="a", VersionId=kept)
    assert stack.update(Data=bucket(**locked("COMPLIANCE", Years=1))) == "UPDATE_COMPLETE"
    assert described() == locked("COMPLIANCE", Years=1)
    assert stack.update(Data=bucket(ObjectLockEnabled="Enabled")) == "UPDATE_COMPLETE"
    assert described() == {"ObjectLockEnabled": "Enabled"}
    free = s3.put_object(Bucket=name, Key="b", Body=b"free")["VersionId"]
    s3.delete_object(Bucket=name, Key="b", VersionId=free)
    s3.delete_object(Bucket=name, Key="a", VersionId=kept, BypassGovernanceRetention=True)
    assert stack.physical("Data") == name
    stack.delete()


def test_a_lock_needs_versions_and_a_time(cloud: LocalCloud) -> None:
    stack, s3 = Stack(cloud, Data=resource("S3::Bucket")), cloud.client("s3")
    without_versions = resource("S3::Bucket", ObjectLockConfiguration=locked("GOVERNANCE", Days=1))
    assert stack.update(Data=without_versions) == "UPDATE_ROLLBACK_COMPLETE"
    assert "Versioning must be 'Enabled'" in stack.reasons()
    versioned = {"VersioningConfiguration": {"Status": "Enabled"}}
    later = resource("S3::Bucket", **versioned, ObjectLockConfiguration=locked("GOVERNANCE", Days=1))
    assert stack.update(Data=later) == "UPDATE_COMPLETE"
    with pytest.raises(ClientError, match="MalformedXML"):
        s3.put_object_lock_configuration(Bucket=stack.physical("Data"), ObjectLockConfiguration=locked("GOVERNANCE"))
    stack.delete()


def test_what_other_origins_may_read_is_kept(cloud: LocalCloud) -> None:
    def bucket(**rule: Any) -> Json:
        rules = [{"AllowedMethods": ["GET"], "AllowedOrigins": ["https://example.com"], **rule}]
        return resource("S3::Bucket", CorsConfiguration={"CorsRules": rules})

    stack, s3 = Stack(cloud, Data=bucket(Id="one", ExposedHeaders=["ETag"], MaxAge=9)), cloud.client("s3")
    name = stack.physical("Data")
    rule = s3.get_bucket_cors(Bucket=name)["CORSRules"][0]
    assert (rule["ID"], rule["ExposeHeaders"], rule["MaxAgeSeconds"]) == ("one", ["ETag"], 9)
    assert stack.update(Data=bucket(Id="two")) == "UPDATE_COMPLETE"
    rule = s3.get_bucket_cors(Bucket=name)["CORSRules"][0]
    assert (rule["ID"], rule.get("ExposeHeaders"), rule.get("MaxAgeSeconds")) == ("two", None, None)
    assert stack.update(Data=resource("S3::Bucket")) == "UPDATE_COMPLETE"
    with pytest.raises(ClientError, match="NoSuchCORSConfiguration"):
        s3.get_bucket_cors(Bucket=name)
    stack.delete()


def test_acceleration_is_suspended_when_a_template_no_longer_has_it(cloud: LocalCloud) -> None:
    accelerated = resource("S3::Bucket", AccelerateConfiguration={"AccelerationStatus": "Enabled"})
    stack, s3 = Stack(cloud, Data=accelerated), cloud.client("s3")
    name = stack.physical("Data")
    assert s3.get_bucket_accelerate_configuration(Bucket=name)["Status"] == "Enabled"
    assert stack.update(Data=resource("S3::Bucket")) == "UPDATE_COMPLETE"
    assert s3.get_bucket_accelerate_configuration(Bucket=name)["Status"] == "Suspended"
    stack.delete()


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("MetricsConfigurations", [{"Id": "all"}]),
        ("IntelligentTieringConfigurations", [{"Id": "a", "Status": "Enabled", "Tierings": []}]),
    ],
)
def test_what_buckets_do_not_keep_here_is_refused_by_name(cloud: LocalCloud, name: str, setting: Any) -> None:
    stack = Stack(cloud, Data=resource("S3::Bucket"))
    assert stack.update(Data=resource("S3::Bucket", **{name: setting})) == "UPDATE_ROLLBACK_COMPLETE"
    assert f"property {name} is not supported by the local cloud" in stack.reasons()
    stack.delete()
