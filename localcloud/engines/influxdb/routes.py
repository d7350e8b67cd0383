"""Which function answers which address, with which method."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import unquote

from localcloud.engines.influxdb import authorizations, buckets, instance, mappings, query, write
from localcloud.engines.influxdb.metadata import RefusalError
from localcloud.engines.influxdb.request import Request, Response

Routes = dict[str, Callable[..., Response]]
"""Functions by method and path; where the path has an `ID`, the function gets it as its second argument."""

ROUTES: Routes = {
    "GET /api/v2/setup": instance.is_setup_allowed,
    "POST /api/v2/setup": instance.set_up,
    "POST /api/v2/signin": instance.sign_in,
    "POST /api/v2/signout": instance.sign_out,
    "GET /api/v2/orgs": instance.list_organizations,
    "GET /api/v2/orgs/ID": instance.read_organization,
    "GET /api/v2/buckets": buckets.list_buckets,
    "POST /api/v2/buckets": buckets.create_bucket,
    "GET /api/v2/buckets/ID": buckets.read_bucket,
    "PATCH /api/v2/buckets/ID": buckets.change_bucket,
    "DELETE /api/v2/buckets/ID": buckets.delete_bucket,
    "GET /api/v2/authorizations": authorizations.list_tokens,
    "POST /api/v2/authorizations": authorizations.create_token,
    "GET /api/v2/authorizations/ID": authorizations.read_authorization,
    "PATCH /api/v2/authorizations/ID": authorizations.change_authorization,
    "DELETE /api/v2/authorizations/ID": authorizations.delete_authorization,
    "GET /private/legacy/authorizations": authorizations.list_legacy,
    "POST /private/legacy/authorizations": authorizations.create_legacy,
    "GET /private/legacy/authorizations/ID": authorizations.read_authorization,
    "PATCH /private/legacy/authorizations/ID": authorizations.change_authorization,
    "DELETE /private/legacy/authorizations/ID": authorizations.delete_authorization,
    "POST /private/legacy/authorizations/ID/password": authorizations.set_password,
    "GET /api/v2/dbrps": mappings.list_mappings,
    "POST /api/v2/dbrps": mappings.create_mapping,
    "GET /api/v2/dbrps/ID": mappings.read_mapping,
    "PATCH /api/v2/dbrps/ID": mappings.change_mapping,
    "DELETE /api/v2/dbrps/ID": mappings.delete_mapping,
    "POST /write": write.write,
    "POST /api/v2/write": write.write_to_bucket,
    "GET /query": query.ask,
    "POST /query": query.ask,
}
_WITH_ID = re.compile(r"(/api/v2/\w+|/private/legacy/authorizations)/(\w+)(/password)?")


def respond(method: str, request: Request, routes: Routes) -> Response:
    """Let the function of a request's address answer it.

    Raises:
        RefusalError: There is no such address, it does not take the method, or its function refuses.
    """
    match = _WITH_ID.fullmatch(request.path)
    address = f"{match[1]}/ID{match[3] or ''}" if match else request.path
    route = routes.get(f"{method} {address}")
    if route is None:
        if any(served.partition(" ")[2] == address for served in routes):
            raise RefusalError("method not allowed", f"{method} is not allowed on {request.path}")
        if request.path.startswith("/api/"):
            request.access()
        raise RefusalError("not found", "path not found")
    return route(request, unquote(match[2])) if match else route(request)
