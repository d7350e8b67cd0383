"""The start script, run for real: that of the deployed launch template, in a folder that stands for the instance's /.

What the image brings (dnf, cfn-signal, ...) is played by programs that write down how they were called. The code
bundle, the database, the certificate, the virtual environment, gunicorn by its unit's own line, Apache with the files
written for it and the request that ends a start are real; packages are those of the tests.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shlex
import shutil
import ssl
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pymysql
import pytest
import urllib3

from localcloud import LocalCloud
from localcloud.cloud import processes
from localcloud.engines import apache
from localcloud.engines.programs import environment, find

DOWNLOAD = """\
import sys, boto3
source, target = sys.argv[-2:]
bucket, key = source.removeprefix("s3://").split("/", 1)
boto3.client("s3").download_file(bucket, key, target)
"""

# What systemd does with the unit: its variables, its command, and waiting until the service says that it is ready.
SERVICE = """\
import os, shlex, socket, subprocess, sys
from configparser import RawConfigParser
root, unit = sys.argv[1], RawConfigParser()
unit.optionxform = str
unit.read_string(open(f"{root}/etc/systemd/system/storefront.service").read().replace("=/", f"={root}/"))
service = unit["Service"]
assert service["Type"] == "notify"
ready = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
ready.bind(f"{root}/notify")
ready.settimeout(60)
lines = [f"NOTIFY_SOCKET={root}/notify", service["Environment"], *open(service["EnvironmentFile"]).read().split()]
subprocess.Popen(shlex.split(service["ExecStart"]), env=os.environ | dict(line.split("=", 1) for line in lines))
while b"READY=1" not in ready.recv(4096):
    pass
"""


@dataclass
class Machine:
    """A folder with the programs of an instance, some of which may be broken.

    Attributes:
        ports: What an instance's ports are here, where others may use them.
    """

    root: Path
    cloud: LocalCloud
    script: str
    ports: dict[int, int] = field(default_factory=lambda: {port: processes.free_port() for port in (80, 443, 8000)})

    def program(self, path: str, *lines: str) -> None:
        """A program that writes down its arguments, one call a line, and does these lines."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        record = f'echo "$@" >> {shlex.quote(str(self.root / "calls" / file.name))}'
        file.write_text("\n".join(["#!/bin/bash", record, *lines, ""]))
        file.chmod(0o755)

    def calls(self, name: str) -> list[str]:
        file = self.root / "calls" / name
        return file.read_text().splitlines() if file.exists() else []

    def path(self, name: str) -> Path:
        return self.root / name

    def prepare(self) -> dict[str, str]:
        """Write the script with its folders below this one; the environment in which it finds the programs."""
        text = re.sub(r"(?<![\w.:$/])/(opt|etc|var)/", rf"{self.root}/\1/", self.script)
        for name, port in self.ports.items():
            text = re.sub(rf"(PORT |Listen |127\.0\.0\.1:){name}\b", rf"\g<1>{port}", text)
        text = text.replace("//localhost/", f"//localhost:{self.ports[80]}/")
        (self.root / "user_data.sh").write_text(text)
        variables = environment() | self.cloud.environment()
        variables["PATH"] = f"{self.root / 'bin'}:{variables['PATH']}"
        variables["GUNICORN_CMD_ARGS"] = f"--bind 127.0.0.1:{self.ports[8000]} --workers 1"
        return variables

    def start(self) -> subprocess.CompletedProcess[str]:
        """Run the script as the instance would."""
        command = ["bash", str(self.root / "user_data.sh")]
        return subprocess.run(command, env=self.prepare(), capture_output=True, text=True, check=False)

    def signal(self) -> dict[str, str]:
        """How CloudFormation was told, once."""
        [call] = self.calls("cfn-signal")
        found = re.fullmatch(r"--exit-code (\d+) --reason (.*) --stack (\S+) --resource (\S+) --region (\S+)", call)
        assert found
        return dict(zip(("code", "reason", "stack", "resource", "region"), found.groups(), strict=True))


@pytest.fixture(scope="module")
def script(cloud: LocalCloud, outputs: dict[str, str]) -> str:
    """What the instance of the deployed stack was launched with."""
    ec2 = cloud.client("ec2")
    resources = cloud.client("cloudformation").describe_stack_resources(StackName="WebApp")["StackResources"]
    [template] = [each for each in resources if each["ResourceType"] == "AWS::EC2::LaunchTemplate"]
    [version] = ec2.describe_launch_template_versions(
        LaunchTemplateId=template["PhysicalResourceId"], Versions=["$Latest"]
    )["LaunchTemplateVersions"]
    return base64.b64decode(version["LaunchTemplateData"]["UserData"]).decode()


@pytest.fixture
def machine(tmp_path: Path, cloud: LocalCloud, script: str) -> Machine:
    return fresh_machine(tmp_path, cloud, script)


def fresh_machine(tmp_path: Path, cloud: LocalCloud, script: str) -> Machine:
    """An instance that has just been launched."""
    made = Machine(tmp_path, cloud, script)
    places = ("etc/httpd/conf.d", "etc/pki/tls/certs", "etc/pki/tls/private", "etc/systemd/system", "var/log/httpd")
    for folder in ("calls", *places):
        (tmp_path / folder).mkdir(parents=True)
    for page in ("welcome.conf", "ssl.conf"):  # as the distribution's packages bring them
        (tmp_path / "etc/httpd/conf.d" / page).write_text("Nonsense that must not be read\n")
    main = tmp_path / "httpd.conf"
    main.write_text(
        "\n".join(
            [
                f"ServerRoot {tmp_path}",
                f"DefaultRuntimeDir {tmp_path}",
                "TypesConfig /dev/null",
                "ErrorLog var/log/httpd/error_log",
                r'LogFormat "%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\"" combined',
                "CustomLog var/log/httpd/access_log combined",  # as the distribution's configuration has it
                *apache.modules(),
                *(["User nobody", "Group #65534"] if os.getuid() == 0 else []),
                f"Listen {made.ports[80]}",
                f"IncludeOptional {tmp_path}/etc/httpd/conf.d/*.conf",
            ]
        )
    )
    (tmp_path / "download.py").write_text(DOWNLOAD)
    python = shlex.quote(sys.executable)
    made.program("bin/dnf")
    made.program("bin/aws", f'exec {python} {tmp_path}/download.py "$@"')
    made.program(
        "bin/python3.11",
        f'[ "$2" = venv ] || exec {python} "$@"',
        f'{python} -m venv --without-pip "$3" && ln -s "$(dirname "$0")/pip" "$3/bin/pip"',
    )
    packages, gunicorn = Path(sysconfig.get_path("purelib")), "from gunicorn.app.wsgiapp import run; run()"
    made.program(
        "bin/pip",
        'test -s "${@: -1}" && cd "$(dirname "$0")"',
        f"echo {packages} > ../lib/{packages.parent.name}/site-packages/packages.pth",
        f'printf "#!$PWD/python\\n{gunicorn}\\n" > gunicorn && chmod +x gunicorn',
    )
    made.program("bin/id", "false")
    made.program("bin/useradd")
    made.program("bin/runuser", 'shift 3; exec "$@"')
    made.program("bin/systemctl")
    authorities = tmp_path / "opt/storefront/database-authorities.pem"
    made.program("bin/curl", f'case "$*" in *truststore*) cp {cloud.certificate_authority} {authorities} ;; esac')
    made.program("bin/httpd", f'exec {shlex.quote(find("apache2"))} -f {main} "$@"')
    made.program("opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl")
    made.program("opt/aws/bin/cfn-signal")
    return made


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory, cloud: LocalCloud, script: str) -> Iterator[Machine]:
    """An instance that serves."""
    machine = fresh_machine(tmp_path_factory.mktemp("instance"), cloud, script)
    root = machine.root
    (root / "service.py").write_text(SERVICE)
    httpd = f"{shlex.quote(find('apache2'))} -D FOREGROUND -f {root}/httpd.conf"
    services = f"{shlex.quote(sys.executable)} {root}/service.py {root} && {httpd} &"
    machine.program("bin/systemctl", f'[ "$1" = enable ] || exit 0; {services}')
    curl, authorities = shlex.quote(shutil.which("curl") or ""), root / "opt/storefront/database-authorities.pem"
    machine.program(
        "bin/curl",
        f'case "$*" in *truststore*) exec cp {cloud.certificate_authority} {authorities} ;; esac',
        f'exec {curl} "$@"',
    )
    process, ended = processes.serve(
        ["bash", "-c", f"bash {root}/user_data.sh; echo ended with $?; sleep infinity"],
        log=root / "cloud-init-output.log",
        environment=machine.prepare(),
        ready=r"ended with (\d+)",
    )
    assert ended[1] == "0", ended.string
    yield machine
    processes.end(process)


def browser(machine: Machine, **options: Any) -> urllib3.PoolManager:
    """Visits the instance, whose certificate is its own and names nobody."""
    context = ssl.create_default_context(cafile=machine.path("etc/pki/tls/certs/storefront.pem"))
    context.check_hostname = False
    return urllib3.PoolManager(ssl_context=context, assert_hostname=False, timeout=30, **options)


def test_a_start_that_works_is_signalled_for_the_instance_of_the_stack(started: Machine) -> None:
    assert started.signal() == {
        "code": "0",
        "reason": "The storefront is ready.",
        "stack": "WebApp",
        "resource": "Instance",
        "region": "us-east-1",
    }


def test_everything_is_in_its_place(started: Machine, outputs: dict[str, str]) -> None:
    bundle = started.path("opt/storefront/code")
    assert sorted(entry.name for entry in bundle.iterdir()) == ["contract", "terminal", "workloads"]
    server = bundle / "workloads/storefront/server"
    conf = started.path("etc/httpd/conf.d")
    assert sorted(file.name for file in conf.iterdir()) == ["00-storefront-settings.conf", "storefront.conf"]
    assert (conf / "storefront.conf").read_text() == (server / "site.conf").read_text()
    assert "Define HTTPS_ONLY" in (conf / "00-storefront-settings.conf").read_text()
    assert started.path("etc/systemd/system/storefront.service").exists()
    told = dict(line.split("=", 1) for line in started.path("etc/storefront.env").read_text().splitlines())
    assert told["STOREFRONT_DATABASE_SECRET"] == outputs["DatabaseSecretArn"]
    assert told["STOREFRONT_BUCKET"] == outputs["AssetsBucketName"]
    assert told["STOREFRONT_LOG_GROUP"] == outputs["LogGroupName"]
    agent = json.loads(started.path("opt/storefront/cloudwatch-agent.json").read_text())
    groups = {each["log_group_name"] for each in agent["logs"]["logs_collected"]["files"]["collect_list"]}
    assert groups == {outputs["LogGroupName"]}
    collected = agent["metrics"]["metrics_collected"].values()
    assert told["STOREFRONT_STACK"]
    assert {told["STOREFRONT_STACK"]} == {each["append_dimensions"]["Stack"] for each in collected}
    assert started.path("etc/pki/tls/private/storefront.key").stat().st_mode & 0o077 == 0


def test_packages_are_installed_by_hash_and_services_are_started(started: Machine) -> None:
    [installed] = started.calls("pip")
    assert "--require-hashes" in installed
    assert installed.endswith("opt/storefront/code/workloads/storefront/requirements.txt")
    assert started.calls("systemctl") == ["daemon-reload", "enable --now storefront httpd"]
    assert started.calls("curl")[-1].endswith(f"//localhost:{started.ports[80]}/healthz")
    assert any("fetch-config" in call for call in started.calls("amazon-cloudwatch-agent-ctl"))


def test_the_unit_serves_the_application_behind_the_files_that_were_written_for_apache(
    started: Machine, outputs: dict[str, str]
) -> None:
    site, elsewhere = f"http://localhost:{started.ports[80]}", {"Host": "evil.example"}
    plain = urllib3.request("GET", f"{site}/films/1", headers=elsewhere, redirect=False, timeout=30)
    assert (plain.status, plain.headers["Location"]) == (308, f"{outputs['SiteUrl']}films/1")
    with browser(started) as visitor:
        ready = visitor.request("GET", f"https://localhost:{started.ports[443]}/readyz", retries=False)
    assert ready.json()["database"] == "ok"
    assert ready.headers["Strict-Transport-Security"]
    lines = started.path("cloud-init-output.log").read_text()
    assert '"route": "/healthz"' in lines


def test_the_databases_tables_are_there(started: Machine, outputs: dict[str, str], secret: dict[str, Any]) -> None:
    connection = pymysql.connect(
        host=secret["host"],
        port=secret["port"],
        user=secret["username"],
        password=secret["password"],
        database=secret["dbname"],
        ssl={"ca": str(started.path("opt/storefront/database-authorities.pem"))},
    )
    with connection, connection.cursor() as cursor:
        assert cursor.execute("SHOW TABLES LIKE 'rental'") == 1


def test_nothing_that_leaves_the_instance_tells_who_asked_or_for_what(started: Machine) -> None:
    visitor, words = "127.0.0.77", "cancer-treatment"
    for scheme, port in (("http", started.ports[80]), ("https", started.ports[443])):
        with browser(started, source_address=(visitor, 0)) as pool:
            for path in (f"/?q={words}", f"/{words}", f"/%zz{words}", f"/{words}%2f"):
                referrer = {"Referer": f"http://localhost/?q={words}"}
                pool.request("GET", f"{scheme}://localhost:{port}{path}", headers=referrer, redirect=False)
    agent = json.loads(started.path("opt/storefront/cloudwatch-agent.json").read_text())
    files = [Path(each["file_path"]) for each in agent["logs"]["logs_collected"]["files"]["collect_list"]]
    assert {file.name for file in files} == {"storefront_access_log", "error_log", "cloud-init-output.log"}
    shipped = [started.path("cloud-init-output.log").read_text()]
    shipped += [started.path(str(file).lstrip("/")).read_text() for file in files if file.parent.name == "httpd"]
    assert all(shipped)
    assert not re.search(f"{visitor}|{words}", "".join(shipped))


@pytest.fixture
def secret(cloud: LocalCloud, outputs: dict[str, str]) -> dict[str, Any]:
    value = cloud.client("secretsmanager").get_secret_value(SecretId=outputs["DatabaseSecretArn"])
    found: dict[str, Any] = json.loads(value["SecretString"])
    return found


def test_no_secret_is_written_anywhere(started: Machine, secret: dict[str, Any]) -> None:
    written = [file for file in started.root.rglob("*") if file.is_file()]
    assert [file for file in written if secret["password"].encode() in file.read_bytes()] == []


def test_behind_a_load_balancer_its_word_is_believed_and_https_is_its_own(machine: Machine) -> None:
    machine.program("bin/runuser")
    machine.script = machine.script.replace("export TRUSTED_PROXY=''", "export TRUSTED_PROXY='10.0.0.0/16'").replace(
        "export RESOURCE='Instance'", "export RESOURCE='AutoScalingGroup'"
    )
    done = machine.start()
    assert done.returncode == 0, done.stdout + done.stderr
    settings = machine.path("etc/httpd/conf.d/00-storefront-settings.conf").read_text()
    assert "Define TRUSTED_PROXY 10.0.0.0/16" in settings
    assert "HTTPS_ONLY" not in settings
    assert "Listen 443" not in settings
    assert machine.signal()["resource"] == "AutoScalingGroup"


@pytest.mark.parametrize(
    ("broken", "lines", "step"),
    [
        ("bin/dnf", ["exit 1"], "install packages"),
        ("bin/aws", ["exit 1"], "fetch the code"),
        ("bin/pip", ["exit 2"], "install the application's packages"),
        ("bin/curl", ["exit 22"], "fetch the certificates of the database's authorities"),
        ("bin/useradd", ["exit 9"], "set up the application"),
        ("bin/runuser", ["exit 2"], "bring the database's tables up to date"),
        ("bin/httpd", ["exit 1"], "set up Apache"),
        ("opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl", ["exit 1"], "set up the CloudWatch agent"),
        ("bin/systemctl", ["exit 1"], "start"),
        ("bin/curl", ['[[ "$*" != *healthz* ]]'], "see whether the site answers"),
    ],
)
def test_a_start_that_fails_is_signalled_with_the_step_that_failed(
    machine: Machine, broken: str, lines: list[str], step: str
) -> None:
    if step != "bring the database's tables up to date":
        machine.program("bin/runuser")  # what migrates is tested above
    if lines != ["exit 1"] and "healthz" in lines[0]:
        authorities = machine.path("opt/storefront/database-authorities.pem")
        lines = [f"touch {authorities}", *lines]
    machine.program(broken, *lines)
    done = machine.start()
    assert done.returncode != 0
    signal = machine.signal()
    assert signal["code"] == str(done.returncode)
    assert signal["reason"].startswith(f"The start failed at: {step} (exit code {done.returncode})")


def test_an_instance_added_by_the_group_itself_starts_though_nobody_waits_for_its_signal(machine: Machine) -> None:
    machine.program("bin/runuser")
    machine.program("opt/aws/bin/cfn-signal", "exit 1")
    done = machine.start()
    assert done.returncode == 0
    assert "waits for no signal" in done.stdout


def test_a_start_that_is_ended_from_outside_has_failed(machine: Machine) -> None:
    machine.program("bin/runuser")
    machine.program("bin/systemctl", 'kill "$PPID"')
    done = machine.start()
    assert done.returncode != 0
    assert machine.signal()["reason"].startswith("The start failed at: start (exit code 143)")


def test_a_mistake_in_the_sites_configuration_fails_the_start(machine: Machine) -> None:
    machine.program("bin/runuser")
    machine.script = machine.script.replace("\nhttpd -t\n", '\necho Nonsense >> "$APACHE/storefront.conf"\nhttpd -t\n')
    assert machine.start().returncode != 0
    assert "set up Apache" in machine.signal()["reason"]
