"""The tags of resources, as condition keys: `aws:ResourceTag`, and the names that some services have for it.

Source: https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html, which says for each action
and each kind of resource whether it takes such a condition.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

from moto.autoscaling.models import autoscaling_backends
from moto.batch.models import batch_backends
from moto.core.exceptions import ServiceException
from moto.core.resource_tagging import iter_taggable_backends
from moto.ec2.models import ec2_backends
from moto.ecr.models import ecr_backends
from moto.elbv2.models import elbv2_backends
from moto.events.models import events_backends
from moto.iam.models import iam_backends
from moto.kms.models import kms_backends
from moto.opensearch.models import opensearch_backends
from moto.rds.models import rds_backends
from moto.s3.models import s3_backends
from moto.scheduler.models import scheduler_backends
from moto.timestreaminfluxdb.models import timestreaminfluxdb_backends
from moto.timestreamwrite.models import timestreamwrite_backends
from werkzeug.exceptions import HTTPException

from localcloud.access.actions import reference
from localcloud.access.actions.derivation import Need
from localcloud.access.sessions import PARTITION
from localcloud.cloud.account import ACCOUNT, REGION

Value = str | tuple[str, ...]
Tags = dict[str, str]
#: What moto raises for a resource that is not there.
NO_SUCH = (ServiceException, HTTPException, StopIteration, KeyError, AttributeError, TypeError, IndexError)


class Keys(Mapping[str, Value]):
    """The condition keys of a request; the tags of its resource are looked up when a policy asks for one.

    Attributes:
        need: The action and the resource.
    """

    def __init__(self, keys: dict[str, Value], need: Need) -> None:
        self._keys = keys
        self.need = need

    def get(self, key: str, default: Any = None) -> Any:
        """Return a key's value; a policy asks for it in lower case."""
        value = self._keys.get(key)
        return self.tags.get(key, default) if value is None and "tag/" in key else value

    def __getitem__(self, key: str) -> Value:
        """Return a key's value."""
        value: Value | None = self.get(key)
        if value is None:
            raise KeyError(key)
        return value

    def __iter__(self) -> Iterator[str]:
        """Yield the keys, those of tags last."""
        yield from self._keys
        yield from self.tags

    def __len__(self) -> int:
        """Return how many keys there are."""
        return len(self._keys) + len(self.tags)

    @cached_property
    def tags(self) -> Tags:
        """The condition keys for the tags of the resource, as the action takes them."""
        arn, (service, _, action) = self.need.resource or "", self.need.action.partition(":")
        names = reference.tag_keys(service, action, arn)
        return {f"{name}/{tag.lower()}": value for tag, value in of(arn).items() for name in names} if names else {}


def of(arn: str) -> Tags:
    """Return the tags of a resource; none if it does not exist.

    Args:
        arn: Its ARN, or that of a part of it, such as an index of a table.
    """
    reader = _READERS.get(arn.split(":")[2]) if arn.startswith("arn:") else None
    try:
        return reader(arn) if reader else _from_mixin(_whole(arn))
    except NO_SUCH:
        return {}


def _whole(arn: str) -> str:
    """Return the resource that has the tags of a part of it: a version, an index, a stream, an object."""
    start, name = arn.split(":")[:5], arn.split(":", 5)[5] if arn.count(":") > 4 else ""  # noqa: PLR2004
    parts = name.split(":")
    match start[2] if name else "":
        case "lambda" | "logs":
            return ":".join([*start, *parts[:2]])
        case "dynamodb":
            return ":".join([*start, "/".join(name.split("/")[:2])])
        case _:
            return arn


def _from_mixin(arn: str) -> Tags:
    """Return what moto's resource groups know: one backend of each service, with its resources."""
    for backend in iter_taggable_backends(ACCOUNT, REGION):
        if backend.owns_arn(arn):
            return next(
                (dict(resource.tags or {}) for resource in backend.iter_tagged_resources() if resource.arn == arn), {}
            )
    return {}


def _listed(tags: Iterable[Any]) -> Tags:
    return {str(tag["Key"]): str(tag.get("Value") or "") for tag in tags}


def _of_ec2(arn: str) -> Tags:
    tags = ec2_backends[ACCOUNT][REGION].tags.get(arn.rpartition("/")[2], {})
    return {str(name): str(value) for name, value in tags.items()}


def _of_iam(arn: str) -> Tags:
    backend: Any = iam_backends[ACCOUNT][PARTITION]
    kind = arn.split(":", 5)[5].partition("/")[0]
    if kind == "user":
        return dict(backend.tagger.get_tag_dict_for_resource(arn))
    holders = {"role": backend.roles, "policy": backend.managed_policies, "instance-profile": backend.instance_profiles}
    holder = next(holder for holder in list(holders[kind].values()) if holder.arn == arn)
    return _listed(holder.tags.values() if isinstance(holder.tags, dict) else holder.tags or ())


def _of_group(arn: str) -> Tags:
    group = autoscaling_backends[ACCOUNT][REGION].autoscaling_groups[arn.rpartition("/")[2]]
    return _listed(group.tags)


def _of_rds(arn: str) -> Tags:
    return _listed(rds_backends[ACCOUNT][REGION].list_tags_for_resource(arn))


def _of_object(arn: str) -> Tags:
    bucket, _, name = arn.split(":::")[1].partition("/")
    backend: Any = s3_backends[ACCOUNT][PARTITION]
    model = backend.buckets[bucket].keys.get(name)
    return dict(backend.tagger.get_tag_dict_for_resource(model.arn)) if model else {}


def _tagged(backends: Any, tagger: str = "tagger") -> Callable[[str], Tags]:
    """Make a reader of what a service's backend keeps by ARN."""
    return lambda arn: dict(getattr(backends[ACCOUNT][REGION], tagger).get_tag_dict_for_resource(arn))


#: Services whose tags moto's resource groups do not know, or not of all kinds of their resources.
_READERS: dict[str, Callable[[str], Tags]] = {
    "autoscaling": _of_group,
    "batch": _tagged(batch_backends),
    "ec2": _of_ec2,
    "ecr": _tagged(ecr_backends),
    "elasticloadbalancing": _tagged(elbv2_backends, "tagging_service"),
    "es": lambda arn: _tagged(opensearch_backends)("/".join(arn.split("/")[:2])),
    "events": _tagged(events_backends),
    "iam": _of_iam,
    "kms": lambda arn: dict(kms_backends[ACCOUNT][REGION].tagger.get_tag_dict_for_resource(arn.rpartition("/")[2])),
    "rds": _of_rds,
    "s3": _of_object,
    "scheduler": _tagged(scheduler_backends),
    "timestream": _tagged(timestreamwrite_backends, "tagging_service"),
    "timestream-influxdb": _tagged(timestreaminfluxdb_backends),
}
