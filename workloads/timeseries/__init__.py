"""Time series databases behind one interface, which several workloads use.

row              one point that can be written
schema           what the columns of a table mean: time, dimensions, measures
store            what every store offers: write rows, aggregate, describe itself
influxdb         Timestream for InfluxDB
backup           an InfluxDB database saved to a folder or S3, and restored
liveanalytics    Timestream for LiveAnalytics
connection       the store that a stack deployed, found by the stack's outputs
"""
