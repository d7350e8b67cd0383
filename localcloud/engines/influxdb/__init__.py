"""InfluxDB 2 as Timestream runs it: a front that has its HTTP API, and influxd 1.6 behind, which holds the points.

The front answers as InfluxDB 2 does; influxd, which only the front can reach with its password, has a database for each
bucket. What InfluxDB 2 does otherwise than InfluxDB 1 (influxdata/influxdb, branch main-2.x: `http/`, `http/legacy/`,
`http/points/`, `v1/`, `models/points.go`):

- `/write` and `/query` take a token or a v1 authorization. The password of a user only opens `/api/v2/signin`.
- A database and a retention policy are names of a bucket: those of a mapping, or those in the bucket's own name.
- Precisions are ns, us, ms and s. `/write` takes any other for ns, without an error; `/api/v2/write` refuses it.
- One malformed line refuses a whole request (400). Points that a bucket cannot take are left out (422).
- InfluxQL asks and deletes; it makes no databases, users and policies any more.

Modules:

    __main__         the program: it starts influxd and the front
    version3         the program of a front that has the API of InfluxDB 3
    server           connections: from HTTP to a request, and from its response back
    routes           which function answers which address
    request          a request: its parameters, who sends it, and what they may do
    instance         set-up, sign-in and the organization
    buckets          buckets
    authorizations   tokens and v1 authorizations
    mappings         databases and retention policies that are names of buckets
    write            points are written
    query            points are queried and deleted, in InfluxQL
    metadata         what InfluxDB 2 keeps beside points
    influxd          what the front asks influxd
    influxql         statements of InfluxQL
    line_protocol    lines whose form InfluxDB 2 and InfluxDB 1 judge differently
"""
