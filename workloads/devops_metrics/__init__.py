"""Monitoring data of a DevOps team in a time series database: ingest, query, find incidents.

`ingest` streams a CSV file into a `MetricStore` of `workloads.timeseries`; `MetricStore.query` answers the named
questions of `queries`, the same for every engine.
"""
