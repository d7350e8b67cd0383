"""Flow logs: whether their role may write them.

moto gap: any role does. Nothing flows here, so nothing is written; but a flow log whose role may not write says so.
"""

from __future__ import annotations

from typing import Any

from moto.ec2.models.flow_logs import FlowLogs, FlowLogsBackend

from localcloud.access import service_calls
from localcloud.access.actions.derivation import Need
from localcloud.cloud.account import ACCOUNT, REGION
from localcloud.cloud.context import Cloud
from localcloud.hooks import after

SERVICE = "vpc-flow-logs.amazonaws.com"
ACTIONS = ("CreateLogStream", "PutLogEvents", "DescribeLogStreams")


@after(FlowLogsBackend, "create_flow_logs")
def _created(cloud: Cloud, created: tuple[list[FlowLogs], list[Any]], *_args: Any, **_kwargs: Any) -> None:
    """Mark a flow log that cannot be delivered.

    Source: https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-troubleshooting.html
    """
    for flow_log in created[0]:
        role = flow_log.deliver_logs_permission_arn
        if flow_log.deliver_logs_status != "SUCCESS" or not role:
            continue
        streams = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{flow_log.log_group_name}:log-stream:"
        try:
            service_calls.check_trust(cloud, SERVICE, role)
            service_calls.check_role(cloud, role, flow_log.id, *(Need(f"logs:{name}", streams) for name in ACTIONS))
        except PermissionError:  # which is recorded as a denial
            flow_log.deliver_logs_status = "FAILED"
            flow_log.deliver_logs_error_message = "Access error"
