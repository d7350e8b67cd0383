"""Queries in InfluxQL."""

from __future__ import annotations

from http import HTTPStatus

from localcloud.engines.influxdb import influxql
from localcloud.engines.influxdb.metadata import Access, Json, RefusalError
from localcloud.engines.influxdb.request import Request, Response

_POLICIES = ["name", "duration", "shardGroupDuration", "replicaN", "default"]


def ask(request: Request) -> Response:
    """Answer a query in InfluxQL; after a statement that fails, the others are not run."""
    access, form = request.legacy_access(), request.form()
    if not form.get("q", "").strip():
        raise RefusalError("invalid", 'missing required parameter "q"')
    results: list[Json] = []
    for statement in influxql.statements(form["q"]):
        failed = any("error" in result for result in results)
        result = {"error": "not executed"} if failed else _run(request, access, statement, form)
        results.append({**result, "statement_id": len(results)})
    return HTTPStatus.OK, {"results": results}


def _run(request: Request, access: Access, statement: influxql.Statement, form: dict[str, str]) -> Json:
    database, metadata = statement.database(form.get("db", "")), request.metadata
    if missing := statement.not_implemented():
        return {"error": f"not implemented: {missing}"}
    if statement.begins("SHOW DATABASES"):
        names = dict.fromkeys(mapping["database"] for mapping in metadata.mappings_for(access))
        return {"series": [{"name": "databases", "columns": ["name"], "values": [[name] for name in names]}]}
    if statement.begins("SHOW RETENTION POLICIES"):
        if not database:
            return {"error": "database name required"}
        # Only buckets say how long points are kept.
        policies = [
            [mapping["retention_policy"], "0s", "168h0m0s", 1, mapping["default"]]
            for mapping in metadata.mappings_for(access, database)
        ]
        return {"series": [{"columns": _POLICIES, "values": policies}]}

    def bucket(name: str, policy: str) -> str:
        identity = _find_bucket(request, access, name, policy)
        changes = statement.begins("DELETE") or statement.begins("DROP MEASUREMENT")
        if changes and not access.allows("write", "buckets", metadata.organization["id"], identity):
            raise RefusalError("unauthorized", f"write:buckets/{identity} is unauthorized")
        return identity

    try:
        kept = {"epoch", "params", "pretty"}
        parameters = {name: value for name, value in form.items() if name in kept}
        if form.get("db"):
            parameters["db"] = bucket(form["db"], form.get("rp", ""))
        text = statement.on_buckets(bucket, form.get("db", ""))
    except RefusalError as error:
        return {"error": error.message}
    return request.influxd.query(text, parameters)


def _find_bucket(request: Request, access: Access, database: str, policy: str) -> str:
    if not database:
        raise RefusalError("invalid", "database name required")
    mappings = request.metadata.mappings_for(access, database)
    if not mappings:
        raise RefusalError("not found", f"database not found: {database}")
    matching = [
        mapping for mapping in mappings if (mapping["retention_policy"] == policy if policy else mapping["default"])
    ]
    if not matching:
        why = f"retention policy not found: {policy}" if policy else f"default retention policy not set for: {database}"
        raise RefusalError("not found", why)
    return str(matching[0]["bucketID"])
