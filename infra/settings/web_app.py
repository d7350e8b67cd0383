"""Settings of the stack WebApp."""

from ipaddress import ip_network
from typing import Self

from pydantic import model_validator

from infra.settings.setting import RetentionDays, Settings, setting

_IPV4 = r"([0-9]{1,3}\.){3}[0-9]{1,3}"


class WebAppSettings(Settings):
    """A web application on one instance, or on several behind a load balancer, with its database."""

    certificate_arn: str = setting(
        "",
        "ARN of a certificate in Certificate Manager: instances in an Auto Scaling group behind a load balancer with "
        "HTTPS.",
        empty="one instance with an address of its own",
        group="Mode",
        pattern=r"^(arn:[a-z-]+:acm:[a-z0-9-]+:[0-9]{12}:certificate/[0-9a-f-]+)?$",
        hint="the ARN of a certificate in this region, or nothing",
    )
    host_name: str = setting(
        "",
        "Name under which visitors reach the site: HTTP leads to HTTPS on this name. Its DNS record is yours to make.",
        empty="the address of the instance, or of the load balancer",
        group="Mode",
        pattern=r"^(([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63})?$",
        hint="a host name, such as films.example.com, or nothing",
    )
    maximum_instances: int = setting(4, "Most instances behind the load balancer.", group="Mode", ge=2, le=100)
    allowed_cidr: str = setting(
        "0.0.0.0/0",
        "From where the site may be visited.",
        group="Access",
        pattern=rf"^{_IPV4}/([0-9]|[12][0-9]|3[0-2])$",
        hint="an IPv4 network, such as 203.0.113.0/24; 0.0.0.0/0 is everybody",
    )
    ssh_key_name: str = setting(
        "",
        "EC2 key pair for SSH, which needs ssh_cidr too. Session Manager needs neither.",
        empty="no SSH",
        group="Access",
        pattern=r"^[\w .@+=-]*$",
        hint="the name of a key pair, or nothing",
    )
    ssh_cidr: str = setting(
        "",
        "From where SSH is allowed, with ssh_key_name: one network, not everybody.",
        empty="no SSH",
        group="Access",
        pattern=rf"^({_IPV4}/([89]|[12][0-9]|3[0-2]))?$",
        hint="an IPv4 network of /8 or smaller, such as 203.0.113.7/32; SSH is never opened to everybody",
    )
    code: str = setting(
        "",
        "Bundle of the workloads' code: a zip file in S3 that holds the folders contract, terminal and workloads.",
        empty="the CDK packs and uploads the folders itself",
        group="Instances",
        pattern=r"^(s3://[a-z0-9.-]+/[\w./=+@-]+\.zip)?$",
        hint="s3://bucket/key.zip",
        console="required",
    )
    instance_type: str = setting(
        "t3.small",
        "EC2 instance type.",
        group="Instances",
        pattern=r"^[a-z0-9-]+\.[a-z0-9-]+$",
        hint="an EC2 instance type, such as t3.small",
    )
    machine_image: str = setting(
        "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64",
        "SSM parameter that holds the id of an image of Amazon Linux 2023; its architecture must fit the type.",
        group="Instances",
        kind="AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>",
        pattern=r"^/[\w./-]+$",
        hint="the name of an SSM parameter, such as /aws/service/ami-amazon-linux-latest/...",
    )
    volume_gib: int = setting(10, "Size of the encrypted root volume, in GiB.", group="Instances", ge=8, le=16384)
    database_instance_type: str = setting(
        "db.t4g.micro",
        "Instance type of the database.",
        group="Database",
        pattern=r"^db\.[a-z0-9-]+\.[a-z0-9-]+$",
        hint="an instance type of RDS for MySQL, such as db.t4g.micro",
    )
    database_storage_gib: int = setting(
        20, "Storage of the database to begin with, in GiB.", group="Database", ge=20, le=65536
    )
    database_maximum_storage_gib: int = setting(
        100, "How far RDS may let the storage grow, in GiB.", group="Database", ge=22, le=65536
    )
    database_two_zones: bool = setting(
        default=False,
        description="Keep a standby of the database in the other zone, at twice the cost.",
        group="Database",
    )
    database_deletion_protection: bool = setting(
        default=False,
        description="Let RDS refuse every deletion of the database. Turn it on once the stack is deployed: a first "
        "deployment that fails could not be rolled back.",
        group="Database",
    )
    backup_days: int = setting(7, "How long automated backups are kept, in days.", group="Database", ge=1, le=35)
    backup_window: str = setting(
        "03:00-04:00",
        "When backups are made (UTC), half an hour or more.",
        group="Database",
        pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]$",
        hint="a daily window in UTC outside Sunday 04:30 to 05:30, such as 03:00-04:00",
    )
    password_rotation_days: int = setting(
        0,
        "How often Secrets Manager changes the database's password, in days; 0 never. Adds an endpoint, billed by the "
        "hour.",
        group="Database",
        ge=0,
        le=365,
        console=False,
    )
    email: str = setting(
        "",
        "Address for the alarms' e-mails; its owner must confirm the subscription.",
        empty="nobody is told",
        group="Alarms",
        pattern=r"^([^@\s]+@[^@\s]+\.[^@\s]+)?$",
        hint="an e-mail address, or nothing",
    )
    processor_percent: int = setting(
        80, "Processor use over a quarter of an hour that raises the alarm, in percent.", group="Alarms", ge=1, le=100
    )
    database_connections: int = setting(
        50, "Connections to the database that raise the alarm.", group="Alarms", ge=1, le=100000
    )
    log_retention_days: RetentionDays = setting(90, "How long logs are kept, in days.", group="Logs and data")
    old_asset_days: int = setting(
        30, "How long replaced versions of posters and static files are kept, in days.", group="Logs and data", ge=1
    )
    delete_data: bool = setting(
        default=False,
        description="Let removal of the stack delete its database with all backups, its bucket (if empty), secrets and "
        "logs, if allow_data_deletion agrees.",
        group="Logs and data",
        console=False,
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        for name in ("allowed_cidr", "ssh_cidr"):
            if cidr := getattr(self, name):
                try:
                    ip_network(cidr)
                except ValueError as error:
                    raise ValueError(f"{name}: {error}") from None
        if bool(self.ssh_key_name) != bool(self.ssh_cidr):
            raise ValueError("ssh_key_name and ssh_cidr go together: give both, or neither for Session Manager alone")
        if self.database_maximum_storage_gib < self.database_storage_gib * 1.1:
            raise ValueError("database_maximum_storage_gib must be a tenth above database_storage_gib or more")
        return self
