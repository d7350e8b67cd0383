"""Monitoring data of a DevOps team in a time series database: ingest, query, find incidents.

`ingest` streams a CSV file into a `MetricStore`; `MetricStore.query` answers the named questions of `queries`. A store
is Timestream for InfluxDB (`influxdb`) or for LiveAnalytics (`liveanalytics`): same questions, same answers.
"""
