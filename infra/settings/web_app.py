"""Settings of the stack WebApp."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from infra.settings.network import TieredNetworkSettings
from infra.settings.setting import setting
from infra.settings.shared import (
    AMAZON_LINUX,
    alert_email,
    alert_topic,
    backup_window,
    check_one_origin,
    check_room_to_grow,
    check_windows,
    code_bundle,
    data_deletion,
    encryption_key,
    log_retention,
    machine_image,
    maintenance_window,
    password_rotation,
    restore_source,
    restore_time,
    snapshot,
)
from infra.settings.types import (
    BundleUrl,
    CertificateArn,
    Cidr,
    DatabaseInstanceType,
    DatabaseResource,
    EmailAddress,
    InstanceType,
    Instant,
    KmsKeyArn,
    MachineImage,
    NarrowCidr,
    RetentionDays,
    Snapshot,
    TopicArn,
)


class WebAppSettings(TieredNetworkSettings):
    """A web application on one instance, or on several behind a load balancer, with its database."""

    certificate_arn: CertificateArn = setting(
        "",
        "ARN of a certificate in Certificate Manager: instances in an Auto Scaling group behind a load balancer with "
        "HTTPS.",
        empty="one instance with an address of its own",
        group="Mode",
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
    allowed_cidr: Cidr = setting("0.0.0.0/0", "From where the site may be visited.", group="Access")
    ssh_key_name: str = setting(
        "",
        "EC2 key pair for SSH, which needs ssh_cidr too. Session Manager needs neither.",
        empty="no SSH",
        group="Access",
        pattern=r"^[\w .@+=-]*$",
        hint="the name of a key pair, or nothing",
    )
    ssh_cidr: NarrowCidr = setting(
        "",
        "From where SSH is allowed, with ssh_key_name: one network, not everybody.",
        empty="no SSH",
        group="Access",
    )
    code: BundleUrl = code_bundle(group="Instances")
    instance_type: InstanceType = setting(
        "t3.small", "EC2 instance type.", group="Instances", hint="an EC2 instance type, such as t3.small"
    )
    machine_image: MachineImage = machine_image(
        AMAZON_LINUX,
        "Image of Amazon Linux 2023, which EC2 looks up at each launch; its architecture must fit the type.",
        group="Instances",
    )
    volume_gib: int = setting(10, "Size of the encrypted root volume, in GiB.", group="Instances", ge=8, le=16384)
    database_instance_type: DatabaseInstanceType = setting(
        "db.t4g.micro",
        "Instance type of the database.",
        group="Database",
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
    backup_window: str = backup_window("the database", group="Database")
    maintenance_window: str = maintenance_window("the database", group="Database")
    password_rotation_days: int = password_rotation("the database", group="Database")
    database_snapshot: Snapshot = snapshot("the database", group="Database")
    database_source: DatabaseResource = restore_source(group="Database")
    database_restore_time: Instant = restore_time(group="Database")
    email: EmailAddress = alert_email()
    topic_arn: TopicArn = alert_topic()
    processor_percent: int = setting(
        80, "Processor use over a quarter of an hour that raises the alarm, in percent.", group="Alarms", ge=1, le=100
    )
    database_connections: int = setting(
        50, "Connections to the database that raise the alarm.", group="Alarms", ge=1, le=100000
    )
    log_retention_days: RetentionDays = log_retention()
    kms_key_arn: KmsKeyArn = encryption_key()
    delete_data: bool = data_deletion("its database with all backups, its bucket (if empty), secrets and logs")

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if bool(self.ssh_key_name) != bool(self.ssh_cidr):
            raise ValueError("ssh_key_name and ssh_cidr go together: give both, or neither to use only Session Manager")
        check_room_to_grow(self)
        check_one_origin(self)
        check_windows(self)
        return self
