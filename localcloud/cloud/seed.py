"""What a bootstrapped account has, ready before the first request."""

from __future__ import annotations

from moto.s3.models import s3_backends
from moto.ssm.models import ssm_backends

from localcloud.cloud.account import ACCOUNT, REGION

QUALIFIER = "hnb659fds"
BOOTSTRAP_VERSION = "30"
AMAZON_LINUX = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
DEEP_LEARNING_IMAGES = [
    "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-amazon-linux-2023/latest/ami-id",
]


def seed() -> None:
    """Do in milliseconds what ``cdk bootstrap`` does; its roles are not missed, as moto assumes any role.

    moto gaps: the parameters of the deep learning images, and the data type of those of all images. No image boots
    here, so Amazon Linux's will do.
    """
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
    parameters = ssm_backends[ACCOUNT][REGION]._parameters  # noqa: SLF001 - its API takes no names of AWS's own
    for name in DEEP_LEARNING_IMAGES:
        parameters[name] = parameters[AMAZON_LINUX]
    for versions in list(parameters.values()):
        if versions[-1].value.startswith("ami-"):
            versions[-1].data_type = "aws:ec2:image"
