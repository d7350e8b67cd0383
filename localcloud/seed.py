"""What a bootstrapped account has, ready before the first request."""

from moto.s3.models import s3_backends
from moto.ssm.models import ssm_backends

from localcloud.account import ACCOUNT, REGION

QUALIFIER = "hnb659fds"
BOOTSTRAP_VERSION = "30"


def seed() -> None:
    """Do in milliseconds what ``cdk bootstrap`` does; its roles are not missed, as moto assumes any role."""
    s3_backends[ACCOUNT]["aws"].create_bucket(f"cdk-{QUALIFIER}-assets-{ACCOUNT}-{REGION}", REGION)
    ssm_backends[ACCOUNT][REGION].put_parameter(
        name=f"/cdk-bootstrap/{QUALIFIER}/version",
        value=BOOTSTRAP_VERSION,
        parameter_type="String",
        description="",
        allowed_pattern="",
        keyid="",
        overwrite=False,
        tags=[],
        data_type="text",
        tier=None,
        policies=None,
    )
