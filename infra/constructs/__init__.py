"""What several stacks are built from; each module says what it makes, with its defaults and an example.

alerts               a topic for alarms, alarms, and mails on jobs that failed
bucket               a private bucket
bundle               the code of the workloads, and how a container runs it
dashboard            a dashboard with the thresholds of the alarms, and a list of them
encryption           a key of the account in place of AWS's own
fargate              jobs of AWS Batch on Fargate, with their queue, roles and log
functions            a function whose code stands in the template
influxdb_token       a token for InfluxDB, and the functions that make it
inline               the code of a function as one text
instances            roles and launch templates of EC2 instances
jobs                 what job queues have in common
logs                 a log group
network              networks without NAT gateways
permissions          permissions that several roles have
queue                a queue, and the alarm on failures that wait in one
relational_database  a database on RDS
secrets              the login of a database
security_groups      groups that let nothing in, and the rules that open them
timeseries           Timestream for InfluxDB 2 and 3, and for LiveAnalytics
"""
