"""The roles of a cluster, with which its bulk loader reads from Amazon S3.

moto gap: a cluster takes only one role without a feature, as those of Neptune are, and gives none back.
"""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.rds.exceptions import DBClusterNotFoundError, DBClusterRoleAlreadyExists, RDSClientError
from moto.rds.models import AssociatedRole, RDSBackend
from moto.rds.responses import RDSResponse

from localcloud.hooks import add, wrap


@wrap(RDSBackend, "add_role_to_db_cluster")
def _add_role(
    original: Any, self: RDSBackend, db_cluster_identifier: str, role_arn: str, feature_name: str | None
) -> None:
    cluster = self.clusters.get(db_cluster_identifier)
    if cluster is None or cluster.engine != "neptune":
        original(self, db_cluster_identifier, role_arn, feature_name)
        return
    if any(role.role_arn == role_arn for role in cluster.associated_roles):
        message = f"Role ARN {role_arn} is already associated with DB cluster: {db_cluster_identifier}"
        raise DBClusterRoleAlreadyExists(message)
    cluster.associated_roles.append(AssociatedRole(role_arn, feature_name or ""))


@add(RDSResponse, "remove_role_from_db_cluster")
def _remove_role(self: RDSResponse) -> ActionResult:
    identifier, arn = self.params["DBClusterIdentifier"], self.params["RoleArn"]
    feature = self.params.get("FeatureName") or ""
    cluster = self.backend.clusters.get(identifier)
    if cluster is None:
        raise DBClusterNotFoundError(identifier)
    for role in cluster.associated_roles:
        if (role.role_arn, role.feature_name or "") == (arn, feature):
            cluster.associated_roles.remove(role)
            return EmptyResult()
    message = f"Role ARN {arn} cannot be found for DB cluster: {identifier}"
    raise RDSClientError("DBClusterRoleNotFound", message)
