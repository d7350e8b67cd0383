"""Training: what its template promises, and the bootstrap that its jobs run first."""

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.code import LOADER
from workloads import bootstrap
from workloads.training.runtime.workload import WORKLOADS

from .conftest import Json, Synthesised, of_type, only, statements


@pytest.fixture(scope="session")
def template(synthesised: Synthesised) -> Json:
    return synthesised.templates["Training"]


@pytest.fixture(scope="session")
def job(template: Json) -> Json:
    properties: Json = template["Resources"]["DigitClassifierJob"]["Properties"]
    return properties


def test_buckets_are_private_encrypted_and_reached_by_tls_alone(template: Json) -> None:
    buckets = dict(of_type(template, "AWS::S3::Bucket"))
    assert set(buckets) == {"DataBucket", "ArtifactBucket"}
    for name, body in buckets.items():
        bucket = body["Properties"]
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
        assert bucket["BucketEncryption"]
        denied = [s for owner, s in statements(template) if owner == f"{name}Policy" and s["Effect"] == "Deny"]
        assert [s["Condition"] for s in denied] == [{"Bool": {"aws:SecureTransport": "false"}}]


def test_data_moves_to_cheaper_storage_and_artifacts_keep_old_versions_for_a_time(template: Json) -> None:
    data, artifacts = (template["Resources"][name]["Properties"] for name in ("DataBucket", "ArtifactBucket"))
    assert data["LifecycleConfiguration"]["Rules"][0]["Transitions"] == [
        {"StorageClass": "STANDARD_IA", "TransitionInDays": 30}
    ]
    assert artifacts["VersioningConfiguration"] == {"Status": "Enabled"}
    assert artifacts["LifecycleConfiguration"]["Rules"][0]["NoncurrentVersionExpiration"] == {"NoncurrentDays": 90}
    for bucket in (data, artifacts):
        assert bucket["LifecycleConfiguration"]["Rules"][1]["AbortIncompleteMultipartUpload"]


def test_compute_is_spot_and_scales_to_zero(template: Json) -> None:
    environment = only(template, "AWS::Batch::ComputeEnvironment")
    resources = environment["ComputeResources"]
    assert (resources["Type"], resources["AllocationStrategy"]) == ("SPOT", "SPOT_PRICE_CAPACITY_OPTIMIZED")
    assert (resources["MinvCpus"], resources["MaxvCpus"]) == (0, 16)
    assert environment["ReplaceComputeEnvironment"] is False
    assert "ServiceRole" not in environment


def test_a_job_without_capacity_does_not_wait_for_ever(template: Json) -> None:
    actions = only(template, "AWS::Batch::JobQueue")["JobStateTimeLimitActions"]
    assert {(action["State"], action["Action"]) for action in actions} == {("RUNNABLE", "CANCEL")}
    assert len({action["Reason"] for action in actions}) == 3
    assert all(action["MaxTimeSeconds"] >= 600 for action in actions)


def test_the_job_trains_from_the_stacks_data_into_its_artifacts(job: Json) -> None:
    arguments = job["ContainerProperties"]["Command"]
    assert arguments[:3] == ["python", "-c", LOADER]
    assert arguments[3:] == [
        *("train", "digit-classifier", "--data", "Ref::data", "--output", "Ref::output"),
        *("--epochs", "Ref::epochs", "--metrics", "cloudwatch"),
    ]
    assert job["Parameters"]["data"] == {"Fn::Join": ["", ["s3://", {"Ref": "DataBucket"}, "/mnist"]]}
    assert job["Parameters"]["output"] == {"Fn::Join": ["", ["s3://", {"Ref": "ArtifactBucket"}, "/digit-classifier"]]}
    assert job["Parameters"]["epochs"] == "1"


def test_every_workload_has_its_job_its_data_and_its_row_on_the_dashboard(template: Json) -> None:
    jobs = {name: body["Properties"] for name, body in of_type(template, "AWS::Batch::JobDefinition")}
    assert {body["ContainerProperties"]["Command"][4] for body in jobs.values()} == set(WORKLOADS)
    folders = {
        body["ContainerProperties"]["Command"][4]: body["Parameters"]["data"]["Fn::Join"][1][2]
        for body in jobs.values()
    }
    assert folders == {
        "digit-classifier": "/mnist",
        "digit-gan": "/mnist",
        "delivery-time": "/delivery",
        "player-position": "/nfl",
    }
    assert len({json.dumps(body["ContainerProperties"]["JobRoleArn"]) for body in jobs.values()}) == len(jobs)
    dashboard = json.dumps(only(template, "AWS::CloudWatch::Dashboard"))
    assert [workload for workload in WORKLOADS if workload not in dashboard] == []


def test_the_job_has_shared_memory_a_limit_and_a_log_group_of_the_stack(job: Json) -> None:
    container = job["ContainerProperties"]
    assert container["LinuxParameters"]["SharedMemorySize"] == 2048
    assert container["LogConfiguration"]["LogDriver"] == "awslogs"
    assert container["LogConfiguration"]["Options"]["awslogs-group"] == {"Ref": "JobLogs"}
    assert job["Timeout"] == {"AttemptDurationSeconds": 21600}
    assert container["JobRoleArn"] != container["ExecutionRoleArn"]


def test_a_reclaimed_host_is_retried_and_a_jobs_own_failure_is_not(job: Json) -> None:
    assert job["RetryStrategy"] == {
        "Attempts": 3,
        "EvaluateOnExit": [
            {"Action": "RETRY", "OnStatusReason": "Host EC2*"},
            {"Action": "EXIT", "OnReason": "*"},
        ],
    }


def test_a_job_writes_below_its_own_name_and_reads_only_code_and_data(template: Json) -> None:
    allowed = [s for name, s in statements(template) if name == "DigitClassifierJobRoleDefaultPolicy"]
    [write] = [s for s in allowed if "s3:PutObject" in s["Action"]]
    assert "/digit-classifier/*" in json.dumps(write["Resource"])
    assert "s3:DeleteObject" in write["Action"]  # its checkpoints, when it has finished
    assert not any("s3:DeleteObjectVersion" in s["Action"] for s in allowed)
    [read] = [s for s in allowed if s["Action"] == "s3:GetObject"]
    assert len(read["Resource"]) == 3


def test_the_dashboard_shows_the_training_metrics(template: Json) -> None:
    body = json.dumps(only(template, "AWS::CloudWatch::Dashboard"))
    names = ("TrainingLoss", "ValidationLoss", "ValidationAccuracy", "SamplesPerSecond", "CpuUtilization")
    assert [name for name in names if name not in body] == []
    assert "Groundwork/Training" in body


def test_settings_reach_the_template(synthesise: Callable[..., Json]) -> None:
    settings = {
        "code": "s3://bundles/code.zip",
        "image": "registry/own:1",
        "runnable_limit_seconds": "600",
        "instance_types": "c7i.large",
        "maximum_vcpus": 64,
        "delete_data": True,
        "log_retention_days": 7,
    }
    changed = synthesise("training.yaml", {"training": settings, "allow_data_deletion": True})
    container = changed["Resources"]["DigitClassifierJob"]["Properties"]["ContainerProperties"]
    assert container["Image"] == "registry/own:1"
    assert {"Name": "GROUNDWORK_CODE", "Value": "s3://bundles/code.zip"} in container["Environment"]
    assert "s3:::bundles/code.zip" in json.dumps(changed)
    resources = only(changed, "AWS::Batch::ComputeEnvironment")["ComputeResources"]
    assert (resources["InstanceTypes"], resources["MaxvCpus"]) == (["c7i.large"], 64)
    for kind in ("AWS::S3::Bucket", "AWS::Logs::LogGroup"):
        for name, body in of_type(changed, kind):
            assert (name, body["DeletionPolicy"]) == (name, "Delete")


def test_the_code_bundle_holds_the_workloads_and_no_caches(template: Json, synthesised: Synthesised) -> None:
    [bundle] = [path for path in synthesised.folder.glob("asset.*") if path.is_dir()]
    files = {str(path.relative_to(bundle)) for path in bundle.rglob("*") if path.is_file()}
    assert "workloads/__main__.py" in files
    assert {file.split("/")[0] for file in files} == {"workloads"}
    assert not [file for file in files if "__pycache__" in file]


def test_its_outputs_are_what_others_read(template: Json) -> None:
    assert set(template["Outputs"]) == {
        *("DataBucketName", "ArtifactBucketName", "JobQueueArn"),
        *("DigitClassifierJobDefinitionArn", "DigitGanJobDefinitionArn"),
        *("DeliveryTimeJobDefinitionArn", "PlayerPositionJobDefinitionArn"),
        *("DashboardName", "LogGroupName"),
    }


# The bootstrap, run as the container runs it: `python -c <text> arguments`, in an empty folder.

STANDINS = {
    "boto3.py": "import os, shutil\n"
    "def client(service):\n"
    "    download = lambda self, bucket, key, path: shutil.copy(f'{bucket}/{key}', path)\n"
    "    return type('S3', (), {'download_file': download})()\n",
    "pip/__init__.py": "",
    "pip/__main__.py": "import sys; print('pip', *sys.argv[1:3], sys.argv[-1].split('/')[-1])",
}
WORKLOAD = "import sys; print('workload', *sys.argv[1:]); sys.exit(7)"


@pytest.fixture
def container(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the bootstrap with stand-ins for S3 and pip."""
    for name, text in STANDINS.items():
        (tmp_path / "site" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "site" / name).write_text(text)
    job = tmp_path / "job"
    (job / "bundles").mkdir(parents=True)
    with zipfile.ZipFile(job / "bundles" / "code.zip", "w") as bundle:
        bundle.writestr("workloads/__init__.py", "")
        bundle.write(bootstrap.__file__, "workloads/bootstrap.py")
        bundle.writestr("workloads/__main__.py", WORKLOAD)
        bundle.writestr("workloads/requirements.txt", "")

    def run(code: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", LOADER, "train", "digit-classifier", "--epochs", "1"],
            cwd=job,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path / "site"), "GROUNDWORK_CODE": code},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_the_bootstrap_installs_what_the_bundle_needs_and_becomes_the_workload(
    container: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    done = container("s3://bundles/code.zip")
    assert done.stdout.splitlines() == [
        "pip install --quiet requirements.txt",
        "workload train digit-classifier --epochs 1",
    ]
    assert done.returncode == 7


def test_the_bootstrap_fails_when_there_is_no_code(
    container: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    done = container("s3://bundles/absent.zip")
    assert done.returncode != 0
    assert "workload" not in done.stdout
    assert "absent.zip" in done.stderr
