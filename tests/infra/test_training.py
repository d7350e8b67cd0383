"""Training: what its template promises, and the bootstrap that its jobs run first."""

from __future__ import annotations

import email
import io
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from contract.metrics import TRAINING_NAMESPACE
from contract.workloads import TRAINING
from groundwork import engines
from infra import PROJECT
from infra.constructs.bundle import LOADER
from infra.packing import PACKAGES
from infra.training.one_off import SCRIPT
from localcloud.engines import programs
from workloads import bootstrap
from workloads.training.runtime.cloudwatch import PROBLEMS, PUBLISHED

from .conftest import Json, Synthesised, as_list, of_type, only, statements

PAGES = PROJECT / "docs" / "stacks"
PROJECT_PACKAGES = {"contract", "groundwork", "infra", "lambda", "localcloud", "terminal", "workloads"}
EXPECTED_TAG = "groundwork:expected-termination"


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


def test_every_kind_of_instance_is_spot_first_and_on_demand_otherwise_from_zero(template: Json) -> None:
    environments = {name: body["Properties"] for name, body in of_type(template, "AWS::Batch::ComputeEnvironment")}
    assert set(environments) == {"CpuSpot", "CpuOnDemand", "GpuSpot", "GpuOnDemand", "MultiNode"}
    for name, environment in environments.items():
        resources = environment["ComputeResources"]
        spot = ("SPOT", "SPOT_PRICE_CAPACITY_OPTIMIZED")
        expected = spot if name.endswith("Spot") else ("EC2", "BEST_FIT_PROGRESSIVE")
        assert (resources["Type"], resources["AllocationStrategy"]) == expected, name
        assert (resources["MinvCpus"], resources["MaxvCpus"]) == (0, 16), name
        image = "ECS_AL2023" if name.startswith("Cpu") else "ECS_AL2023_NVIDIA"
        assert resources["Ec2Configuration"] == [{"ImageType": image}], name
        assert environment["ReplaceComputeEnvironment"] is False, name
        assert "ServiceRole" not in environment, name
    assert environments["GpuSpot"]["ComputeResources"]["InstanceTypes"] == ["g4dn", "g5", "g6"]
    for queue, kinds in {"CpuQueue": ["CpuSpot", "CpuOnDemand"], "GpuQueue": ["GpuSpot", "GpuOnDemand"]}.items():
        order = template["Resources"][queue]["Properties"]["ComputeEnvironmentOrder"]
        assert [place["ComputeEnvironment"]["Fn::GetAtt"][0] for place in order] == kinds
        assert [place["Order"] for place in order] == [1, 2]


def test_every_instance_of_batch_takes_no_job_once_it_is_reclaimed(template: Json) -> None:
    for name, body in of_type(template, "AWS::Batch::ComputeEnvironment"):
        launch = body["Properties"]["ComputeResources"]["LaunchTemplate"]["LaunchTemplateId"]["Ref"]
        data = template["Resources"][launch]["Properties"]["LaunchTemplateData"]["UserData"]["Fn::Base64"]
        message = email.message_from_string(data)
        assert message.get_content_type() == "multipart/mixed", name  # or Batch could not join it with its own
        [part] = message.get_payload()
        assert part.get_content_type() == "text/x-shellscript", name
        assert part.get_payload() == (
            "#!/bin/bash\necho ECS_ENABLE_SPOT_INSTANCE_DRAINING=true >> /etc/ecs/ecs.config\n"
        ), name


def test_queues_share_fairly_and_no_job_waits_for_ever(template: Json) -> None:
    queues = [body["Properties"] for _, body in of_type(template, "AWS::Batch::JobQueue")]
    assert len(queues) == 3
    for queue in queues:
        assert queue["SchedulingPolicyArn"] == {"Fn::GetAtt": ["FairShare", "Arn"]}
        actions = queue["JobStateTimeLimitActions"]
        assert {(action["State"], action["Action"]) for action in actions} == {("RUNNABLE", "CANCEL")}
        assert {action["Reason"].partition(":")[0] for action in actions} == {"CAPACITY", "MISCONFIGURATION"}
        assert all(action["MaxTimeSeconds"] >= 600 for action in actions)
    assert only(template, "AWS::Batch::SchedulingPolicy")["FairsharePolicy"]


def test_nodes_of_a_job_are_close_together_and_reach_each_other_alone(template: Json) -> None:
    resources = template["Resources"]["MultiNode"]["Properties"]["ComputeResources"]
    assert resources["PlacementGroup"] == {"Ref": "Together"}
    assert only(template, "AWS::EC2::PlacementGroup") == {"Strategy": "cluster"}
    assert len(resources["Subnets"]) == 1
    group = {"Fn::GetAtt": ["Nodes", "GroupId"]}
    assert resources["SecurityGroupIds"] == [group]
    inside, outside = only(template, "AWS::EC2::SecurityGroupIngress"), only(template, "AWS::EC2::SecurityGroupEgress")
    assert inside["GroupId"] == inside["SourceSecurityGroupId"] == outside["DestinationSecurityGroupId"] == group
    launch = template["Resources"]["NodesLaunchTemplate"]["Properties"]["LaunchTemplateData"]
    [interface] = launch["NetworkInterfaces"]
    where = {"Fn::FindInMap": ["NodeResources", "g4dn.xlarge", "Interface"]}
    assert interface["InterfaceType"] == where
    assert template["Conditions"]["HasEfa"] == {"Fn::Equals": [where, "efa"]}
    interfaces = {name: node["Interface"] for name, node in template["Mappings"]["NodeResources"].items()}
    assert interfaces["g4dn.xlarge"] == "interface"
    assert interfaces["g5.12xlarge"] == "efa"


def test_a_multi_node_job_runs_on_all_gpus_of_every_node(template: Json) -> None:
    job = template["Resources"]["DigitClassifierMultiNodeJob"]["Properties"]
    nodes = job["NodeProperties"]
    assert (job["Type"], nodes["NumNodes"], nodes["MainNode"]) == ("multinode", 2, 0)
    [every] = nodes["NodeRangeProperties"]
    assert every["TargetNodes"] == "0:"
    container = every["Container"]
    assert container["Command"][-2:] == ["--strategy", "ddp"]
    assert {need["Type"] for need in container["ResourceRequirements"]} == {"VCPU", "MEMORY", "GPU"}
    [condition, devices, otherwise] = container["LinuxParameters"]["Devices"]["Fn::If"]
    assert (condition, otherwise) == ("HasEfa", {"Ref": "AWS::NoValue"})
    assert devices[0]["HostPath"] == "/dev/infiniband/uverbs0"


def test_the_job_trains_from_the_stacks_data_into_its_artifacts(job: Json, template: Json) -> None:
    arguments = job["ContainerProperties"]["Command"]
    assert arguments[:3] == ["python", "-c", {"Fn::FindInMap": ["Container", "Python", "Loader"]}]
    assert template["Mappings"]["Container"]["Python"]["Loader"] == LOADER
    assert arguments[3:] == [
        *("Ref::task", "digit-classifier", "--data", "Ref::data", "--output", "Ref::output"),
        *("--epochs", "Ref::epochs", "--metrics", "cloudwatch"),
    ]
    assert job["Parameters"]["task"] == "train"
    assert job["Parameters"]["data"] == {"Fn::Join": ["", ["s3://", {"Ref": "DataBucket"}, "/mnist"]]}
    assert job["Parameters"]["output"] == {"Fn::Join": ["", ["s3://", {"Ref": "ArtifactBucket"}, "/digit-classifier"]]}
    assert job["Parameters"]["epochs"] == "1"


def test_a_job_predicts_with_any_finished_run(template: Json) -> None:
    job = template["Resources"]["PredictJob"]["Properties"]
    assert job["ContainerProperties"]["Command"][3:] == [
        *("predict", "Ref::workload", "--model", "Ref::model"),
        *("--input", "Ref::data", "--output", "Ref::output"),
    ]
    assert set(job["Parameters"]) == {"workload", "model", "data", "output"}
    assert job["ContainerProperties"]["JobRoleArn"] == {"Fn::GetAtt": ["PredictRole", "Arn"]}


def containers(template: Json) -> dict[str, Json]:
    """The container of every job definition."""
    found = {}
    for name, body in of_type(template, "AWS::Batch::JobDefinition"):
        properties = body["Properties"]
        nodes = properties.get("NodeProperties")
        found[name] = nodes["NodeRangeProperties"][0]["Container"] if nodes else properties["ContainerProperties"]
    return found


def test_every_workload_has_its_job_its_data_and_its_place_on_the_dashboard(template: Json) -> None:
    jobs = {name: body["Properties"] for name, body in of_type(template, "AWS::Batch::JobDefinition")}
    trained = {name: jobs[name] for name in jobs if name.endswith("Job") and jobs[name]["Parameters"].get("task")}
    workloads = {name: containers(template)[name]["Command"][4] for name in trained}
    assert set(workloads.values()) == set(TRAINING)
    folders = {workloads[name]: body["Parameters"]["data"]["Fn::Join"][1][2] for name, body in trained.items()}
    assert folders == {name: f"/{workload.data_set}" for name, workload in TRAINING.items()}
    dashboard = json.dumps(only(template, "AWS::CloudWatch::Dashboard"))
    assert [workload for workload in TRAINING if workload not in dashboard] == []


def test_every_job_has_shared_memory_a_limit_a_cache_and_a_log_group_of_the_stack(template: Json) -> None:
    for name, container in containers(template).items():
        assert container["LinuxParameters"]["SharedMemorySize"] == 2048, name
        assert container["LinuxParameters"]["InitProcessEnabled"] is True, name
        assert container["LogConfiguration"]["LogDriver"] == "awslogs", name
        assert container["LogConfiguration"]["Options"]["awslogs-group"] == {"Ref": "JobLogs"}, name
        assert container["JobRoleArn"] != container["ExecutionRoleArn"], name
        [mount], [volume] = container["MountPoints"], container["Volumes"]
        assert mount["ContainerPath"] == volume["Host"]["SourcePath"] == str(bootstrap.CACHE), name
        assert not [variable for variable in container["Environment"] if "SECRET" in variable["Name"]], name
        assert template["Resources"][name]["Properties"]["Timeout"] == {"AttemptDurationSeconds": 21600}, name


def test_jobs_with_a_gpu_ask_for_it_and_for_cuda(template: Json) -> None:
    for name, container in containers(template).items():
        needs = {need["Type"]: need["Value"] for need in container["ResourceRequirements"]}
        with_gpu = name.endswith(("GpuJob", "MultiNodeJob"))
        assert ("GPU" in needs) == with_gpu, name
        assert ("-cu" in container["Image"]) == with_gpu, name


def test_a_reclaimed_host_is_retried_and_a_jobs_own_failure_is_not(template: Json) -> None:
    for name, body in of_type(template, "AWS::Batch::JobDefinition"):
        assert body["Properties"]["RetryStrategy"] == {
            "Attempts": 10,
            "EvaluateOnExit": [
                {"Action": "RETRY", "OnStatusReason": "Host EC2*"},
                {"Action": "RETRY", "OnExitCode": "75"},
                {"Action": "EXIT", "OnReason": "*"},
            ],
        }, name


def test_a_job_reads_its_own_data_and_writes_only_below_its_own_name(template: Json) -> None:
    for workload in TRAINING.values():
        role = workload.job_role
        allowed = [s for name, s in statements(template) if name == role and s["Action"] != "sts:AssumeRole"]
        [read, write] = allowed
        assert read["Action"] == "s3:GetObject"
        folders = [re.findall(r"/([a-z-]+)/\*", json.dumps(place))[0] for place in read["Resource"]]
        assert folders == [workload.data_set, workload.name, *workload.reads]
        assert set(write["Action"]) == {"s3:PutObject", "s3:AbortMultipartUpload", "s3:DeleteObject"}
        assert f"/{workload.name}/*" in json.dumps(write["Resource"])
    prediction = [s for name, s in statements(template) if name == "PredictRole" and "s3:PutObject" in s["Action"]]
    assert "/predictions/*" in json.dumps([s["Resource"] for s in prediction])


def test_every_role_of_a_job_reads_the_code_and_lists_but_deletes_no_version(template: Json) -> None:
    common = template["Resources"]["JobPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert [s["Action"] for s in common] == ["s3:GetObject", "s3:ListBucket", "cloudwatch:PutMetricData"]
    roles = {json.dumps(container["JobRoleArn"]) for container in containers(template).values()}
    assert len(roles) == len(TRAINING) + 1
    for name in re.findall(r'"(\w+Role)"', "".join(roles)):
        assert template["Resources"][name]["Properties"]["ManagedPolicyArns"] == [{"Ref": "JobPolicy"}]
    assert not [s for _, s in statements(template) if "s3:DeleteObjectVersion" in as_list(s["Action"])]


def test_a_failed_job_and_a_stuck_one_are_told_with_the_reason(template: Json) -> None:
    rules = {name: body["Properties"] for name, body in of_type(template, "AWS::Events::Rule")}
    failed, stuck = rules["FailedJobs"], rules["StuckJobs"]
    assert failed["EventPattern"]["detail-type"] == ["Batch Job State Change"]
    assert failed["EventPattern"]["detail"]["status"] == ["FAILED"]
    assert stuck["EventPattern"]["detail-type"] == ["Batch Job Queue Blocked"]
    for rule in (failed, stuck):
        assert len(rule["EventPattern"]["detail"]["jobQueue"]) == 3
        [target] = rule["Targets"]
        assert target["Arn"] == {"Ref": "Topic"}
        transformer = target["InputTransformer"]
        assert "<reason>" in transformer["InputTemplate"]
        assert transformer["InputPathsMap"]["reason"] == "$.detail.statusReason"
        assert set(re.findall("<([a-z]+)>", transformer["InputTemplate"])) == set(transformer["InputPathsMap"])


@pytest.mark.parametrize("stack", ["Training", "DataEcosystem"])
def test_no_text_of_others_stands_between_quotation_marks_in_an_input_template(
    synthesised: Synthesised, stack: str
) -> None:
    plain = {"name", "job"}  # letters, digits, hyphens
    for name, body in of_type(synthesised.templates[stack], "AWS::Events::Rule"):
        for target in body["Properties"]["Targets"]:
            if transformer := target.get("InputTransformer"):
                quoted = re.findall(r'"(?:[^"\\\\]|\\\\.)*"', transformer["InputTemplate"])
                assert set(re.findall(r"<(\w+)>", " ".join(quoted))) <= plain, name


OF_STACK = {"Fn::Join": ["", ["Groundwork/", {"Ref": "AWS::StackName"}]]}


def test_alarms_ring_when_training_goes_wrong(template: Json) -> None:
    alarms = {
        body["Properties"]["MetricName"]: body["Properties"] for _, body in of_type(template, "AWS::CloudWatch::Alarm")
    }
    alarms.pop("FailedInvocations")  # of the mails on jobs
    alarms.pop("NumberOfNotificationsFailed")  # of the topic
    known = {name for name, _ in PUBLISHED.values()}
    for name, alarm in alarms.items():
        assert name in known
        assert alarm["Namespace"] == OF_STACK
        assert "Dimensions" not in alarm  # of whichever workload
    assert set(alarms) == {PUBLISHED[name][0] for name in PROBLEMS}


def test_the_dashboard_shows_the_training_metrics_of_the_workload_one_chooses(template: Json) -> None:
    text = json.dumps(only(template, "AWS::CloudWatch::Dashboard"))
    assert [name for name, _ in PUBLISHED.values() if name not in text and name != "EpochSeconds"] == []
    assert "Groundwork/" in text
    assert '\\"property\\":\\"Workload\\"' in text


def test_a_one_off_instance_ends_itself_and_alarms_nobody(template: Json) -> None:
    launch = template["Resources"]["OneOffLaunchTemplate"]["Properties"]["LaunchTemplateData"]
    assert launch["InstanceInitiatedShutdownBehavior"] == "terminate"
    assert launch["MetadataOptions"]["InstanceMetadataTags"] == "enabled"
    assert launch["MetadataOptions"]["HttpTokens"] == "required"
    assert [device["Ebs"]["Encrypted"] for device in launch["BlockDeviceMappings"]] == [True]
    assert "AmazonSSMManagedInstanceCore" in json.dumps(template["Resources"]["OneOffRole"]["Properties"])
    [tags] = launch["TagSpecifications"]
    assert EXPECTED_TAG in {tag["Key"] for tag in tags["Tags"]}
    assert launch["ImageId"].startswith("resolve:ssm:/aws/service/deeplearning/ami/")
    script = SCRIPT.read_text()
    assert script.splitlines()[-1] in json.dumps(launch["UserData"]).replace("\\n", "\n").replace('\\"', '"')
    [assume] = [
        s for name, s in statements(template) if name == "OneOffRoleDefaultPolicy" and s["Action"] == "sts:AssumeRole"
    ]
    lent = [role["Fn::GetAtt"][0] for role in as_list(assume["Resource"])]
    assert lent == ["DigitClassifierJobRole", "DigitGanJobRole"]
    trusting = [
        name for name, s in statements(template) if s.get("Principal") == {"AWS": {"Fn::GetAtt": ["OneOffRole", "Arn"]}}
    ]
    assert trusting == lent


ECR = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
PULL = {"ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"}


@pytest.mark.parametrize("suffix", ["", ":2", "@sha256:0a1b", ":2@sha256:0a1b"])
def test_roles_may_pull_the_images_of_the_settings_and_no_others(synthesise: Callable[..., Json], suffix: str) -> None:
    images = {"image": f"{ECR}/own/cpu{suffix}", "gpu_image": f"{ECR}/own/gpu{suffix}"}
    changed = synthesise("training.yaml", {"training": images})
    pulled = {
        name: [str(resource["Fn::Join"][1][-1]) for resource in as_list(statement["Resource"])]
        for name, statement in statements(changed)
        if set(as_list(statement["Action"])) == PULL
    }
    assert pulled == {
        "ExecutionRoleDefaultPolicy": [":ecr:*:*:repository/own/cpu", ":ecr:*:*:repository/own/gpu"],
        "OneOffRoleDefaultPolicy": [":ecr:*:*:repository/own/gpu"],
    }


def test_images_elsewhere_give_no_permission_on_a_repository(template: Json) -> None:
    [resources] = {
        json.dumps(statement["Resource"])
        for _, statement in statements(template)
        if set(as_list(statement["Action"])) == PULL
    }
    assert resources.endswith(':ecr:*:*:repository"]]}')


@pytest.mark.parametrize(
    ("image", "login"),
    [
        (f"{ECR}/own/gpu:2", f"login --username AWS --password-stdin {ECR}"),
        ("public.ecr.aws/deep-learning-containers/pytorch:2.13", None),
        ("pytorch/pytorch", None),
    ],
)
def test_a_one_off_instance_logs_in_to_a_private_registry(tmp_path: Path, image: str, login: str | None) -> None:
    programs = {
        "curl": 'case "$*" in *options|*command) echo ok;; *) echo value;; esac',
        "docker": f'[ "$1" = login ] && cat > {tmp_path}/password; echo "$*" >> {tmp_path}/calls',
        "aws": 'echo "token of $4"',
        "shutdown": "",
        "mkdir": "",
        "timeout": 'while [ "$1" != docker ]; do shift; done; "$@"',
    }
    for name, text in programs.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{text}\ntrue\n")
        (tmp_path / name).chmod(0o755)
    script = SCRIPT.read_text().replace("/etc/groundwork/aws", str(tmp_path / "config"))
    known = {"IMAGE": image, "LIMIT_SECONDS": "60", "SHARED_MEMORY_MIB": "64", "LOADER": "pass", "LOG_GROUP": "logs"}
    environment = {
        **known,
        "REGION": "us-east-1",
        "GROUNDWORK_CODE": "",
        TRAINING_NAMESPACE: "",
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
    }
    subprocess.run(["bash", "-c", script], env=environment, check=True, capture_output=True)
    first, *others = (tmp_path / "calls").read_text().splitlines()
    assert (first == login) if login else first.startswith("run ")
    assert all(call.startswith("run ") for call in others)
    assert (tmp_path / "password").exists() is bool(login)
    if login:
        assert (tmp_path / "password").read_text() == "token of eu-west-1\n"


def test_nodes_with_efa_may_lock_as_much_memory_as_they_register(template: Json) -> None:
    for name, container in containers(template).items():
        unlimited = {"Name": "memlock", "SoftLimit": -1, "HardLimit": -1}
        assert container.get("Ulimits") == ([unlimited] if "MultiNode" in name else None), name


def test_its_start_script_is_clean() -> None:
    checked = subprocess.run(
        [str(engines.find("shellcheck")), str(SCRIPT)],
        capture_output=True,
        text=True,
        check=False,
        env=programs.environment(),
    )
    assert (checked.returncode, checked.stdout) == (0, "")


def test_settings_reach_the_template(synthesise: Callable[..., Json]) -> None:
    settings = {
        "code": "s3://bundles/code.zip",
        "image": "registry/own:1",
        "gpu_image": "registry/own:2-cu",
        "runnable_limit_seconds": "600",
        "instance_types": "c7i.large",
        "gpu_instance_types": "g6",
        "multi_node_instance_type": "g5.12xlarge",
        "maximum_vcpus": 64,
        "job_gpus": 4,
        "delete_data": True,
        "log_retention_days": 7,
    }
    changed = synthesise("training.yaml", {"training": settings, "allow_data_deletion": True})
    container = changed["Resources"]["DigitClassifierJob"]["Properties"]["ContainerProperties"]
    assert container["Image"] == "registry/own:1"
    assert {"Name": "GROUNDWORK_CODE", "Value": "s3://bundles/code.zip"} in container["Environment"]
    assert "s3:::bundles/code.zip" in json.dumps(changed)
    on_gpu = changed["Resources"]["DigitGanGpuJob"]["Properties"]["ContainerProperties"]
    assert on_gpu["Image"] == "registry/own:2-cu"
    assert {"Type": "GPU", "Value": "4"} in on_gpu["ResourceRequirements"]
    for name, types in (("CpuSpot", ["c7i.large"]), ("GpuOnDemand", ["g6"]), ("MultiNode", ["g5.12xlarge"])):
        resources = changed["Resources"][name]["Properties"]["ComputeResources"]
        assert (resources["InstanceTypes"], resources["MaxvCpus"]) == (types, 64)
    for kind in ("AWS::S3::Bucket", "AWS::Logs::LogGroup"):
        for name, body in of_type(changed, kind):
            assert (name, body["DeletionPolicy"]) == (name, "Delete")


def test_the_code_bundle_holds_the_workloads_what_they_import_and_no_caches(
    template: Json, synthesised: Synthesised
) -> None:
    bundles = list(synthesised.folder.glob("asset.*.zip"))
    assert len(bundles) == 1  # of all stacks: by its content
    with zipfile.ZipFile(bundles[0]) as bundle:
        files = set(bundle.namelist())
        modules = {name: bundle.read(name).decode() for name in files if name.endswith(".py")}
    assert {"workloads/__main__.py", "contract/errors.py"} <= files
    assert {file.split("/")[0] for file in files} == {"contract", "terminal", "workloads"}
    assert not [file for file in files if "__pycache__" in file]
    assert not [name for name, source in modules.items() if imported(source) & PROJECT_PACKAGES - set(PACKAGES)]


def test_the_pages_say_how_to_make_the_bundle_by_hand() -> None:
    texts = [page.read_text() for page in PAGES.glob("*.md")]
    assert sum("`groundwork bundle code.zip`" in text for text in texts) == 3
    assert not [text for text in texts if "zip -r" in text]


def imported(source: str) -> set[str]:
    """The first names of the modules that some source imports."""
    return set(re.findall(r"^ *(?:from|import) (\w+)", source, re.MULTILINE))


def test_its_outputs_are_what_others_read(template: Json) -> None:
    jobs = {workload.job_output(machine) for workload in TRAINING.values() for machine in workload.machines}
    assert {"DigitClassifierMultiNodeJobDefinitionArn", "DigitGanGpuJobDefinitionArn"} < jobs
    assert set(template["Outputs"]) == {
        *("DataBucketName", "ArtifactBucketName", "CpuQueueArn", "GpuQueueArn", "MultiNodeQueueArn"),
        *(*jobs, "PredictJobDefinitionArn"),
        *("LaunchTemplateId", "TopicArn", "DashboardName", "LogGroupName"),
    }


# The bootstrap, run as the container runs it: `python -c <text> arguments`, in an empty folder.

STANDINS = {
    "boto3.py": "import os, shutil\n"
    "def client(service):\n"
    "    download = lambda self, bucket, key, path: shutil.copy(f'{bucket}/{key}', path)\n"
    "    return type('S3', (), {'download_file': download})()\n",
    "pip/__init__.py": "",
    "pip/__main__.py": "import sys; hashes = [word for word in sys.argv if word == '--require-hashes'];"
    "print('pip', sys.argv[1], *hashes, sys.argv[-1].split('/')[-1])",
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

    def run(code: str, requirements: str = "") -> subprocess.CompletedProcess[str]:
        with zipfile.ZipFile(job / "bundles" / "code.zip", "a") as bundle:
            bundle.writestr("workloads/requirements.txt", requirements)
        return subprocess.run(
            [sys.executable, "-c", LOADER, "train", "digit-classifier", "--epochs", "1"],
            cwd=job,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path / "site"), "GROUNDWORK_CODE": code},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.mark.parametrize("requirement", ["absent>=1", "pytest>=9999", "pytest[dev]>=1", "pytest==1"])
def test_the_bootstrap_installs_what_the_bundle_needs_and_becomes_the_workload(
    container: Callable[..., subprocess.CompletedProcess[str]], requirement: str
) -> None:
    done = container("s3://bundles/code.zip", f"# What it needs.\npytest>=1\n{requirement}\n")
    assert done.stdout.splitlines() == [
        "pip install --require-hashes requirements.lock",
        "workload train digit-classifier --epochs 1",
    ]
    assert done.returncode == 7


PYTHON = f"cp{sys.version_info.major}{sys.version_info.minor}"


def add_wheel(job: Path, name: str) -> None:
    """Put a wheel into the bundle: the package `absent`, whose version is 2."""
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as wheel:
        wheel.writestr("absent/__init__.py", "")
        wheel.writestr("absent-2.dist-info/METADATA", "Metadata-Version: 2.1\nName: absent\nVersion: 2\n")
    with zipfile.ZipFile(job / "bundles" / "code.zip", "a") as bundle:
        bundle.writestr(f"workloads/wheels/{name}", package.getvalue())
        bundle.writestr("workloads/__main__.py", f"import absent\n{WORKLOAD}")


@pytest.mark.parametrize(
    "tags", ["py3-none-any", f"{PYTHON}-{PYTHON}-manylinux_2_28_x86_64", "cp310-abi3-linux_x86_64"]
)
@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_a_job_takes_what_its_image_lacks_from_the_bundle_and_needs_no_index(
    container: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path, tags: str
) -> None:
    add_wheel(tmp_path / "job", f"absent-2-{tags}.whl")
    done = container("s3://bundles/code.zip", "pytest>=1\nabsent>=2\n")
    assert done.stdout.splitlines() == ["workload train digit-classifier --epochs 1"], done.stderr


@pytest.mark.parametrize("tags", ["cp39-cp39-manylinux_2_28_x86_64", f"{PYTHON}-{PYTHON}-manylinux_2_28_riscv64"])
@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_wheels_of_another_python_or_machine_are_left_to_pip(
    container: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path, tags: str
) -> None:
    add_wheel(tmp_path / "job", f"absent-2-{tags}.whl")
    done = container("s3://bundles/code.zip", "absent>=2\n")
    assert done.stdout.splitlines()[0] == "pip install --require-hashes requirements.lock"


def test_an_image_without_boto3_signs_the_request_for_the_bundle_as_aws_does(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    requests: list[Any] = []

    def urlopen(request: Any) -> io.BytesIO:
        requests.append(request)
        lent = {"AccessKeyId": "AKIDEXAMPLE", "SecretAccessKey": "secret", "Token": "token+of/a=role"}
        return io.BytesIO(json.dumps(lent).encode() if isinstance(request, str) else b"the bundle")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    monkeypatch.setattr("runpy.run_module", lambda *_, **__: None)
    monkeypatch.setattr("urllib.request.urlopen", urlopen)
    monkeypatch.setenv("GROUNDWORK_CODE", "s3://my.bundles/code/of+me=1@2.zip")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials/1")
    exec(LOADER, {})  # noqa: S102 - the program under test
    lender, request = requests
    assert lender == "http://169.254.170.2/v2/credentials/1"
    assert Path("code.zip").read_bytes() == b"the bundle"
    assert request.full_url == "https://s3.eu-central-1.amazonaws.com/my.bundles/code/of%2Bme%3D1%402.zip"
    signer = S3SigV4Auth(Credentials("AKIDEXAMPLE", "secret", "token+of/a=role"), "s3", "eu-central-1")
    headers = {name.lower(): value for name, value in request.header_items() if name.lower() != "authorization"}
    expected = AWSRequest("GET", request.full_url, headers=headers)
    expected.context = {"timestamp": headers["x-amz-date"], "payload_signing_enabled": True}
    text = signer.string_to_sign(expected, signer.canonical_request(expected))
    assert request.get_header("Authorization").endswith(f"Signature={signer.signature(text, expected)}")


def test_the_bootstrap_does_not_call_pip_for_what_is_there(
    container: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    done = container("s3://bundles/code.zip", "# What it needs.\npytest>=1\npyyaml>=6.0  # also\n")
    assert done.stdout.splitlines() == ["workload train digit-classifier --epochs 1"]


def test_the_bootstrap_fails_when_there_is_no_code(
    container: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    done = container("s3://bundles/absent.zip")
    assert done.returncode != 0
    assert "workload" not in done.stdout
    assert "absent.zip" in done.stderr


def test_artifacts_go_to_a_bucket_that_exists(synthesise: Callable[..., Json]) -> None:
    template = synthesise("training.yaml", {"training.artifact_bucket": "results-of-the-company"})
    buckets = {name for name, _ in of_type(template, "AWS::S3::Bucket")}
    assert "DataBucket" in buckets
    assert not {name for name in buckets if name.startswith("Artifact")}
    assert template["Outputs"]["ArtifactBucketName"]["Value"] == "results-of-the-company"
    writing = [s for _, s in statements(template) if "s3:PutObject" in as_list(s["Action"])]
    assert writing
    for statement in writing:
        for resource in as_list(statement["Resource"]):
            assert ":s3:::results-of-the-company/" in json.dumps(resource).replace('", "', "").replace('"]', "")
