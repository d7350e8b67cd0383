"""Amazon Timestream for InfluxDB: influxd behind each instance."""
