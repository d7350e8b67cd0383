"""A fault for each rule of the services (`rules.yaml`), with what AWS answers."""

from __future__ import annotations

from typing import Any

QUEUE, TOPIC = "AWS::SQS::Queue", "AWS::SNS::Topic"
FUNCTION, MAPPING = "AWS::Lambda::Function", "AWS::Lambda::EventSourceMapping"
DATABASE = "AWS::RDS::DBInstance"
CLUSTER, GRAPH = "AWS::Neptune::DBCluster", "AWS::Neptune::DBInstance"
DOMAIN, INFLUX = "AWS::OpenSearchService::Domain", "AWS::Timestream::InfluxDBInstance"
ENVIRONMENT, JOB = "AWS::Batch::ComputeEnvironment", "AWS::Batch::JobDefinition"

MACHINE_OF_STATES = "AWS::StepFunctions::StateMachine"
API, ROUTE = "AWS::ApiGatewayV2::Api", "AWS::ApiGatewayV2::Route"
INTEGRATION, STAGE = "AWS::ApiGatewayV2::Integration", "AWS::ApiGatewayV2::Stage"
REST_API, METHOD, DEPLOYMENT = (f"AWS::ApiGateway::{kind}" for kind in ("RestApi", "Method", "Deployment"))
REST_STAGE, API_KEY, PLAN = (f"AWS::ApiGateway::{kind}" for kind in ("Stage", "ApiKey", "UsagePlan"))

SECURE = {
    "AdvancedSecurityOptions": {"Enabled": True},
    "EncryptionAtRestOptions": {"Enabled": True},
    "NodeToNodeEncryptionOptions": {"Enabled": True},
    "DomainEndpointOptions": {"EnforceHTTPS": True},
}
SMALL = {"InstanceType": "t3.small.search"}
EBS = {"EBSEnabled": True, "VolumeSize": 10}
EC2 = {"Type": "EC2", "InstanceRole": "r", "Subnets": ["s"], "MaxvCpus": 1}
SPOT = EC2 | {"Type": "SPOT", "AllocationStrategy": "SPOT_PRICE_CAPACITY_OPTIMIZED"}
MYSQL = {"Engine": "mysql", "EngineVersion": "8.4", "DBInstanceClass": "db.t4g.micro"}
POSTGRES = {"Engine": "postgres", "DBInstanceClass": "db.t4g.micro"}
GP3 = MYSQL | {"StorageType": "gp3", "AllocatedStorage": "20"}
IO2 = MYSQL | {"StorageType": "io2", "AllocatedStorage": 100, "Iops": 1000}
MONITORED = MYSQL | {"MonitoringInterval": 60, "MonitoringRoleArn": {"Fn::GetAtt": ["Role", "Arn"]}}
STREAM = {"EventSourceArn": "arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/s", "StartingPosition": "LATEST"}
QUEUED = {"EventSourceArn": "arn:aws:sqs:us-east-1:123456789012:q"}
INFLUX_T2 = {"DbStorageType": "InfluxIOIncludedT2", "AllocatedStorage": 400}
STANDBY = {"DeploymentType": "WITH_MULTIAZ_STANDBY", "VpcSubnetIds": ["a", "b"]}
SERVERLESS = {"ServerlessScalingConfiguration": {"MinCapacity": 1, "MaxCapacity": 2.5}, "EngineVersion": "1.4.5.0"}
NODES = {"Type": "multinode", "NodeProperties": {"NumNodes": 2, "MainNode": 0, "NodeRangeProperties": []}}
FARGATE = {"PlatformCapabilities": ["FARGATE"], "ContainerProperties": {"ExecutionRoleArn": "r"}}
HTTP_API = {"Name": "shop", "ProtocolType": "HTTP"}
DESCRIBED = {"Body": {"openapi": "3.0.1"}}
FORWARDED = {"x-amazon-apigateway-integration": {"type": "http_proxy", "uri": "https://example.com"}}
SHARED = {"x-amazon-apigateway-integrations": {"partner": {"connectionType": "VPC_LINK"}}}
AUTHORIZED = {"securitySchemes": {"partners": {"x-amazon-apigateway-authorizer": {"type": "jwt"}}}}
PROXY = {"IntegrationType": "AWS_PROXY", "IntegrationUri": "f", "PayloadFormatVersion": "2.0"}
DEPLOYED = {"StageName": "$default", "AutoDeploy": True}
OF_METHOD = {"HttpMethod": "GET", "AuthorizationType": "NONE"}
OF_STAGE = {"StageName": "prod", "DeploymentId": "d"}
INLINE = {"Code": {"ZipFile": "pass"}, "Runtime": "python3.13"}


HOOK, LAUNCHING = "AWS::AutoScaling::LifecycleHook", "autoscaling:EC2_INSTANCE_LAUNCHING"
GROUP, FIREWALL = "AWS::AutoScaling::AutoScalingGroup", "AWS::EC2::SecurityGroup"
MACHINE, TEMPLATE = "AWS::EC2::Instance", "AWS::EC2::LaunchTemplate"
LISTENER, BALANCER = "AWS::ElasticLoadBalancingV2::Listener", "AWS::ElasticLoadBalancingV2::LoadBalancer"
TARGETS = "AWS::ElasticLoadBalancingV2::TargetGroup"
TABLE, GLOBAL = "AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable"
SECRET, ALIAS, KEY = "AWS::SecretsManager::Secret", "AWS::KMS::Alias", "AWS::KMS::Key"
PROVIDER, ISSUER = "AWS::IAM::OIDCProvider", "https://tokens.example/ours"
ROLE, LOGS, RULE = "AWS::IAM::Role", "AWS::Logs::LogGroup", "AWS::Events::Rule"
PARAMETER, BUCKET, ALARM = "AWS::SSM::Parameter", "AWS::S3::Bucket", "AWS::CloudWatch::Alarm"
KEYS: dict[str, Any] = {"AttributeDefinitions": [{}], "KeySchema": [{}]}
ON_DEMAND = KEYS | {"BillingMode": "PAY_PER_REQUEST"}


def encrypted(algorithm: str) -> dict[str, Any]:
    """A bucket's encryption with a key of KMS."""
    default = {"SSEAlgorithm": algorithm, "KMSMasterKeyID": "k"}
    return {"BucketEncryption": {"ServerSideEncryptionConfiguration": [{"ServerSideEncryptionByDefault": default}]}}


def moved(days: int) -> dict[str, Any]:
    """A bucket whose objects move to another storage class."""
    transitions = [{"StorageClass": "STANDARD_IA", "TransitionInDays": days}]
    return {"LifecycleConfiguration": {"Rules": [{"Status": "Enabled", "Transitions": transitions}]}}


#: A resource type, properties that are right, what makes them wrong, AWS's code (none where only a template can have
#: the fault), and AWS's words, or ours where its words are undocumented.
FAULTS: list[tuple[str, dict[str, Any], dict[str, Any], str, str]] = [
    (
        QUEUE,
        {"VisibilityTimeout": 43_200},
        {"VisibilityTimeout": 43_201},
        "InvalidAttributeValue",
        "above the maximum of 43200",
    ),
    (
        QUEUE,
        {"MessageRetentionPeriod": "60"},
        {"MessageRetentionPeriod": "59"},
        "InvalidAttributeValue",
        "below the minimum of 60",
    ),
    (
        QUEUE,
        {"QueueName": "q.fifo", "FifoQueue": True},
        {"QueueName": "q"},
        "InvalidParameterValue",
        (
            "The name of a FIFO queue can only include alphanumeric characters, hyphens, or "
            "underscores, must end with .fifo suffix and be 1 to 80 in length"
        ),
    ),
    (
        QUEUE,
        {"QueueName": "q"},
        {"ContentBasedDeduplication": True, "FifoQueue": False},
        "InvalidAttributeName",
        "Unknown Attribute ContentBasedDeduplication",
    ),
    (
        QUEUE,
        {"QueueName": "a_b-c"},
        {"QueueName": "a b"},
        "InvalidParameterValue",
        "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
    ),
    (
        QUEUE,
        {"QueueName": "q"},
        {"QueueName": "q.fifo"},
        "InvalidParameterValue",
        "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
    ),
    (TOPIC, {"TopicName": "t"}, {"TopicName": "t t"}, "InvalidParameter", "Invalid parameter: Topic Name"),
    (
        TOPIC,
        {"TopicName": "t.fifo", "FifoTopic": True},
        {"TopicName": "t"},
        "InvalidParameter",
        "Invalid parameter: Topic Name",
    ),
    (TOPIC, {"TopicName": "t"}, {"TopicName": "t.fifo"}, "InvalidParameter", "Invalid parameter: Topic Name"),
    (TOPIC, {"DisplayName": "d" * 100}, {"DisplayName": "d" * 101}, "InvalidParameter", "at most 100"),
    (
        FUNCTION,
        {"MemorySize": 10_240},
        {"MemorySize": 10_241},
        "InvalidParameterValueException",
        ("'MemorySize' value failed to satisfy constraint: Member must have value less than or equal to 10240"),
    ),
    (
        FUNCTION,
        {"Timeout": "900"},
        {"Timeout": "901"},
        "ValidationException",
        (
            "1 validation error detected: Value '901' at 'timeout' failed to satisfy constraint: Member"
            " must have value less than or equal to 900"
        ),
    ),
    (
        FUNCTION,
        {"EphemeralStorage": {"Size": 512}},
        {"EphemeralStorage": {"Size": 10_241}},
        "ValidationException",
        "above the maximum",
    ),
    (
        FUNCTION,
        {},
        {"Environment": {"Variables": {"LONG": "x" * 4096}}},
        "InvalidParameterValueException",
        (
            "Lambda was unable to configure your environment variables because the environment "
            "variables you have provided exceeded the 4KB limit"
        ),
    ),
    (
        FUNCTION,
        {},
        {"Environment": {"Variables": {"AWS_REGION": "x"}}},
        "InvalidParameterValueException",
        (
            "Lambda was unable to configure your environment variables because the environment "
            "variables you have provided contains reserved keys that are currently not supported for "
            "modification"
        ),
    ),
    (FUNCTION, {"PackageType": "Image"}, {"Handler": "h"}, "InvalidParameterValueException", "has no Handler"),
    (
        FUNCTION,
        {"LoggingConfig": {"LogFormat": "JSON", "SystemLogLevel": "INFO"}},
        {"LoggingConfig": {"LogFormat": "Text", "SystemLogLevel": "INFO"}},
        "InvalidParameterValueException",
        "Set LogFormat to JSON",
    ),
    (FUNCTION, INLINE, {"Runtime": None}, "", "Required property Runtime is missing"),
    (FUNCTION, INLINE, {"Runtime": "java21"}, "", "is for Python and Node.js"),
    (
        MAPPING,
        STREAM,
        {"StartingPosition": None},
        "InvalidParameterValueException",
        (
            "1 validation error detected: Value null at 'startingPosition' failed to satisfy "
            "constraint: Member must not be null"
        ),
    ),
    (MAPPING, QUEUED, {"StartingPosition": "LATEST"}, "InvalidParameterValueException", "leave StartingPosition out"),
    (
        MAPPING,
        QUEUED,
        {"EventSourceArn": QUEUED["EventSourceArn"] + ".fifo", "BatchSize": 11},
        "InvalidParameterValueException",
        "maximum of 10",
    ),
    (
        MAPPING,
        QUEUED,
        {"BatchSize": 11},
        "InvalidParameterValueException",
        "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10",
    ),
    (DATABASE, MYSQL, {"EngineVersion": "9.9"}, "InvalidParameterCombination", "Cannot find version 9.9 for mysql"),
    (
        DATABASE,
        MYSQL,
        {"DBInstanceClass": "db.m1.small"},
        "InvalidParameterCombination",
        (
            "RDS does not support creating a DB instance with the following combination: "
            "DBInstanceClass=db.m1.small, Engine=mysql, EngineVersion=8.4"
        ),
    ),
    (
        DATABASE,
        POSTGRES,
        {"DBInstanceClass": "db.t9.micro"},
        "InvalidParameterValue",
        "Invalid DB Instance class: db.t9.micro",
    ),
    (
        DATABASE,
        MYSQL | {"KmsKeyId": "k", "StorageEncrypted": True},
        {"StorageEncrypted": False},
        "InvalidParameterCombination",
        "StorageEncrypted",
    ),
    (
        DATABASE,
        MYSQL | {"BackupRetentionPeriod": 35},
        {"BackupRetentionPeriod": 36},
        "InvalidParameterValue",
        "Invalid backup retention period: 36. Retention period must be between 0 and 35",
    ),
    (
        DATABASE,
        {"DBInstanceIdentifier": "a-b"},
        {"DBInstanceIdentifier": "a--b"},
        "InvalidParameterValue",
        (
            "The parameter DBInstanceIdentifier is not a valid identifier. Identifiers must begin with "
            "a letter; must contain only ASCII letters, digits, and hyphens; and must not end with a "
            "hyphen or contain two consecutive hyphens"
        ),
    ),
    (
        DATABASE,
        MYSQL,
        {"MasterUserPassword": "secret@host"},
        "InvalidParameterValue",
        (
            "The parameter MasterUserPassword is not a valid password. Only printable ASCII characters "
            "besides '/', '@', '\"', ' ' may be used"
        ),
    ),
    (
        DATABASE,
        POSTGRES | {"MasterUserPassword": "x" * 42},
        {"Engine": "mysql"},
        "InvalidParameterValue",
        ("The parameter MasterUserPassword is not a valid password because it is longer than 41 characters"),
    ),
    (
        DATABASE,
        POSTGRES,
        {"MasterUserPassword": "short"},
        "InvalidParameterValue",
        ("The parameter MasterUserPassword is not a valid password because it is shorter than 8 characters"),
    ),
    (
        DATABASE,
        MYSQL | {"MasterUsername": "admin"},
        {"MasterUsername": "a" * 17},
        "InvalidParameterValue",
        (
            "The value 'aaaaaaaaaaaaaaaaa' of MasterUsername does not match the pattern "
            "^[a-zA-Z][a-zA-Z0-9_]{0,15}$. Write 1 to 16 letters, digits and underscores, a letter "
            "first"
        ),
    ),
    (
        DATABASE,
        POSTGRES | {"MasterUsername": "owner"},
        {"MasterUsername": "admin"},
        "InvalidParameterValue",
        "MasterUsername admin cannot be used as it is a reserved word used by the engine",
    ),
    (
        DATABASE,
        MYSQL | {"DBName": "store"},
        {"DBName": "1store"},
        "InvalidParameterValue",
        "DBName must begin with a letter and contain only alphanumeric characters",
    ),
    (
        DATABASE,
        POSTGRES | {"DBName": "store"},
        {"DBName": "my-store"},
        "InvalidParameterValue",
        "DBName must begin with a letter and contain only alphanumeric characters",
    ),
    (
        DATABASE,
        GP3,
        {"AllocatedStorage": "19"},
        "InvalidParameterCombination",
        "Invalid storage size for engine name mysql and storage type gp3: 19",
    ),
    (DATABASE, IO2, {"AllocatedStorage": 99}, "InvalidParameterCombination", "Provisioned IOPS need 100 GiB"),
    (
        DATABASE,
        IO2,
        {"Iops": None},
        "InvalidParameterCombination",
        "The storage type io2 requires iops to be specified",
    ),
    (
        DATABASE,
        GP3,
        {"Iops": 3000},
        "InvalidParameterCombination",
        "You can't specify IOPS or storage throughput for engine mysql and a storage size less than 400",
    ),
    (DATABASE, MONITORED, {"MonitoringInterval": 7}, "InvalidParameterValue", "is not one of 0, 1, 5"),
    (
        DATABASE,
        MONITORED,
        {"MonitoringRoleArn": None},
        "InvalidParameterCombination",
        "A MonitoringRoleARN value is required if you specify a MonitoringInterval value other than 0",
    ),
    (
        CLUSTER,
        SERVERLESS,
        {"ServerlessScalingConfiguration": {"MinCapacity": 1, "MaxCapacity": 129}},
        "InvalidParameterValue",
        "128",
    ),
    (
        CLUSTER,
        SERVERLESS,
        {"ServerlessScalingConfiguration": {"MinCapacity": 1.2, "MaxCapacity": 4}},
        "InvalidParameterValue",
        "Serverless v2 capacity value 1.2 is not valid. It must be a multiple of 0.5",
    ),
    (CLUSTER, SERVERLESS, {"EngineVersion": "1.1.1.0"}, "InvalidParameterCombination", "version 1.2.0.1 or newer"),
    (
        CLUSTER,
        {"BackupRetentionPeriod": 35},
        {"BackupRetentionPeriod": 36},
        "InvalidParameterValue",
        "Invalid backup retention period: 36. Retention period must be between 1 and 35",
    ),
    (
        CLUSTER,
        {"DBClusterIdentifier": "g"},
        {"DBClusterIdentifier": "1g"},
        "InvalidParameterValue",
        (
            "The parameter DBClusterIdentifier is not a valid identifier. Identifiers must begin with a"
            " letter; must contain only ASCII letters, digits, and hyphens; and must not end with a "
            "hyphen or contain two consecutive hyphens"
        ),
    ),
    (
        GRAPH,
        {"DBInstanceClass": "db.serverless"},
        {"DBInstanceClass": "db.t2.micro"},
        "InvalidParameterValue",
        "Invalid DB Instance class: db.t2.micro",
    ),
    (
        GRAPH,
        {"DBInstanceIdentifier": "g"},
        {"DBInstanceIdentifier": "g-"},
        "InvalidParameterValue",
        (
            "The parameter DBInstanceIdentifier is not a valid identifier. Identifiers must begin with "
            "a letter; must contain only ASCII letters, digits, and hyphens; and must not end with a "
            "hyphen or contain two consecutive hyphens"
        ),
    ),
    (
        DOMAIN,
        {},
        {"ClusterConfig": {"InstanceType": "t9.small.search"}, "EBSOptions": EBS},
        "InvalidTypeException",
        "Invalid instance type: t9.small.search",
    ),
    (
        DOMAIN,
        {},
        {"ClusterConfig": {"DedicatedMasterType": "t9.small.search"}},
        "InvalidTypeException",
        (
            "The value 't9.small.search' of ClusterConfig.DedicatedMasterType is none of the 237 values"
            " there are, such as t3.small.search, t2.small.search, t2.micro.search, t3.medium.search, "
            "t2.medium.search. Choose a type that the region offers for dedicated masters"
        ),
    ),
    (
        DOMAIN,
        {"DomainName": "abc"},
        {"DomainName": "Films"},
        "ValidationException",
        (
            "1 validation error detected: Value 'Films' at 'domainName' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: [a-z][a-z0-9\\-]+"
        ),
    ),
    (
        DOMAIN,
        {"EBSOptions": EBS},
        {"EBSOptions": EBS | {"VolumeSize": 9}},
        "ValidationException",
        "Volume size must be between 10 and",
    ),
    (
        DOMAIN,
        {"ClusterConfig": SMALL, "EBSOptions": EBS},
        {"EBSOptions": EBS | {"VolumeSize": 101}},
        "ValidationException",
        "Volume size must be between 10 and 100",
    ),
    (
        DOMAIN,
        {"ClusterConfig": {"InstanceType": "t3.medium.search"}, "EBSOptions": EBS},
        {"EBSOptions": EBS | {"VolumeSize": 201}},
        "ValidationException",
        "Volume size must be between 10 and 200",
    ),
    (
        DOMAIN,
        {"ClusterConfig": SMALL, "EBSOptions": EBS},
        {"EBSOptions": None},
        "ValidationException",
        "EBS storage must be selected for t3.small.search",
    ),
    (
        DOMAIN,
        SECURE,
        {"NodeToNodeEncryptionOptions": {"Enabled": False}},
        "ValidationException",
        "You must enable node-to-node encryption to use advanced security options",
    ),
    (INFLUX, {"Name": "metrics"}, {"Name": "a--b"}, "ValidationException", "does not match the pattern"),
    (INFLUX, {"Password": "abcdefgh"}, {"Password": "abc"}, "ValidationException", "at least 8"),
    (INFLUX, INFLUX_T2, {"AllocatedStorage": 20}, "ValidationException", "start at 400 GiB"),
    (INFLUX, STANDBY, {"VpcSubnetIds": ["a"]}, "ValidationException", "two availability zones"),
    (
        ENVIRONMENT,
        {"ComputeEnvironmentName": "e"},
        {"ComputeEnvironmentName": "-e"},
        "ClientException",
        "a letter or digit first",
    ),
    (
        ENVIRONMENT,
        {},
        {"ComputeResources": {"Type": "FARGATE", "InstanceTypes": ["c5"]}},
        "ClientException",
        "not applicable",
    ),
    (
        ENVIRONMENT,
        {"ComputeResources": EC2},
        {"ComputeResources": {"Type": "EC2"}},
        "ClientException",
        "InstanceRole is missing",
    ),
    (
        ENVIRONMENT,
        {"ComputeResources": SPOT},
        {"ComputeResources": SPOT | {"Type": "EC2"}},
        "ClientException",
        "need the type SPOT",
    ),
    (
        ENVIRONMENT,
        {"ComputeResources": SPOT},
        {"ComputeResources": SPOT | {"AllocationStrategy": "BEST_FIT"}},
        "ClientException",
        "SpotIamFleetRole is missing",
    ),
    (
        ENVIRONMENT,
        {},
        {"ComputeResources": EC2 | {"LaunchTemplate": {"Version": "1"}}},
        "ClientException",
        "One of LaunchTemplateId and LaunchTemplateName or LaunchTemplate.overrides should be provided",
    ),
    (
        ENVIRONMENT,
        {"ComputeResources": EC2 | {"Ec2Configuration": [{"ImageType": "ECS_AL2023_NVIDIA"}]}},
        {"ComputeResources": EC2 | {"Ec2Configuration": [{"ImageType": "ECS_AL1"}]}},
        "ClientException",
        "Invalid imageType in ComputeResources.ec2Configuration",
    ),
    (JOB, {"JobDefinitionName": "job"}, {"JobDefinitionName": "my job"}, "ClientException", "letters, digits, hyphens"),
    (JOB, NODES, {"PlatformCapabilities": ["FARGATE"]}, "ClientException", "do not run on Fargate"),
    (JOB, NODES, {"NodeProperties": None}, "ClientException", "Required property NodeProperties is missing"),
    (
        JOB,
        {"RetryStrategy": {"Attempts": 10}},
        {"RetryStrategy": {"Attempts": 11}},
        "ClientException",
        "above the maximum of 10",
    ),
    (JOB, {}, {"Timeout": {"AttemptDurationSeconds": 59}}, "ClientException", "at least 60 seconds"),
    (JOB, FARGATE, {"ContainerProperties": {}}, "ClientException", "ExecutionRoleArn is missing"),
    (
        ENVIRONMENT,
        {"ComputeResources": EC2 | {"MinvCpus": 1}},
        {"ComputeResources": EC2 | {"MinvCpus": 2}},
        "ClientException",
        (
            "The value 2 of ComputeResources.MinvCpus is above 1, the value of MaxvCpus. Let minvCpus "
            "be less than or equal to maxvCpus"
        ),
    ),
    (
        ENVIRONMENT,
        {"ComputeResources": EC2 | {"MinvCpus": 0, "DesiredvCpus": 1}},
        {"ComputeResources": EC2 | {"MinvCpus": 0, "DesiredvCpus": 2}},
        "ClientException",
        "desiredvCpus should be between minvCpus and maxvCpus",
    ),
    (
        QUEUE,
        {},
        {"DeduplicationScope": "queue"},
        "InvalidAttributeName",
        "You can specify the DeduplicationScope only when FifoQueue is set to true",
    ),
    (
        QUEUE,
        {},
        {"FifoThroughputLimit": "perQueue"},
        "InvalidAttributeName",
        "You can specify the FifoThroughputLimit only when FifoQueue is set to true",
    ),
    (
        QUEUE,
        {},
        {"ContentBasedDeduplication": True},
        "InvalidAttributeName",
        "Unknown Attribute ContentBasedDeduplication",
    ),
    (TOPIC, {}, {"ContentBasedDeduplication": True}, "InvalidParameter", "Leave ContentBasedDeduplication out"),
    (
        FUNCTION,
        {"Layers": ["l"] * 5},
        {"Layers": ["l"] * 6},
        "InvalidParameterValueException",
        "Cannot reference more than 5 layers",
    ),
    (
        FUNCTION,
        INLINE,
        {"Code": {"ZipFile": "pass", "S3Key": "k"}},
        "InvalidParameterValueException",
        "Please do not provide other FunctionCode parameters when providing a ZipFile",
    ),
    (
        MAPPING,
        STREAM,
        {"StartingPosition": None},
        "InvalidParameterValueException",
        (
            "1 validation error detected: Value null at 'startingPosition' failed to satisfy "
            "constraint: Member must not be null"
        ),
    ),
    (
        GROUP,
        {"MinSize": "1", "MaxSize": "2"},
        {"MaxSize": "0"},
        "ValidationError",
        "Max bound, 0, must be greater than or equal to min bound, 1",
    ),
    (
        GROUP,
        {"MinSize": "1", "MaxSize": "2", "DesiredCapacity": "2"},
        {"DesiredCapacity": "3"},
        "ValidationError",
        "Desired capacity:3 must be between the specified min size:1 and max size:2",
    ),
    (
        GROUP,
        {"LaunchTemplate": {"Version": "$Latest"}},
        {"LaunchTemplate": {"Version": "latest"}},
        "ValidationError",
        (
            "The value 'latest' of LaunchTemplate.Version does not match the pattern "
            "^(\\$Latest|\\$Default|[0-9]+)$. Write a number, $Latest or $Default"
        ),
    ),
    (
        FIREWALL,
        {"GroupDescription": "web"},
        {"GroupDescription": "Büro"},
        "InvalidParameterValue",
        ("Value (Büro) for parameter GroupDescription is invalid. Character sets beyond ASCII are not supported"),
    ),
    (
        FIREWALL,
        {},
        {"GroupDescription": "it's"},
        "InvalidParameterValue",
        (
            "Invalid security group description. Valid descriptions are strings less than 256 "
            "characters from the following set: a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*"
        ),
    ),
    (FIREWALL, {"GroupName": "web"}, {"GroupName": "sg-web"}, "InvalidParameterValue", "may not be in the format sg-*"),
    (
        FIREWALL,
        {},
        {"SecurityGroupIngress": [{"Description": "it's"}]},
        "",
        (
            "Invalid rule description. Valid descriptions are strings less than 256 characters from the"
            " following set: a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*"
        ),
    ),
    (
        FIREWALL,
        {},
        {"SecurityGroupEgress": [{"Description": "it's"}]},
        "",
        (
            "Invalid rule description. Valid descriptions are strings less than 256 characters from the"
            " following set: a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*"
        ),
    ),
    (
        FIREWALL,
        {"SecurityGroupIngress": [{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 443}]},
        {"SecurityGroupIngress": [{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 80}]},
        "",
        (
            "The value 443 of SecurityGroupIngress.FromPort is above 80, the value of ToPort. Let "
            "FromPort be at most ToPort"
        ),
    ),
    (
        FIREWALL,
        {},
        {"SecurityGroupEgress": [{"IpProtocol": "udp", "FromPort": 443, "ToPort": 80}]},
        "",
        (
            "The value 443 of SecurityGroupEgress.FromPort is above 80, the value of ToPort. Let "
            "FromPort be at most ToPort"
        ),
    ),
    (
        MACHINE,
        {"UserData": "x" * 21_848},
        {"UserData": "x" * 21_849},
        "InvalidParameterValue",
        "User data is limited to 16384 bytes",
    ),
    (
        MACHINE,
        {"SubnetId": "s"},
        {"NetworkInterfaces": [{}]},
        "InvalidParameterCombination",
        "Network interfaces and an instance-level subnet ID may not be specified on the same request",
    ),
    (
        MACHINE,
        {"SecurityGroupIds": ["g"]},
        {"NetworkInterfaces": [{}]},
        "InvalidParameterCombination",
        ("Network interfaces and an instance-level security groups may not be specified on the same request"),
    ),
    (
        TEMPLATE,
        {},
        {"LaunchTemplateData": {"UserData": "x" * 21_849}},
        "InvalidUserData.Malformed",
        "User data is limited to 16384 bytes",
    ),
    (
        TEMPLATE,
        {"LaunchTemplateName": "web"},
        {"LaunchTemplateName": "w!"},
        "InvalidLaunchTemplateName.MalformedException",
        "3 to 128",
    ),
    (
        "AWS::EC2::VPC",
        {"CidrBlock": "10.0.0.0/16"},
        {"CidrBlock": "10.0.0.0/8"},
        "InvalidVpc.Range",
        "The CIDR '10.0.0.0/8' is invalid",
    ),
    (
        "AWS::EC2::Subnet",
        {"CidrBlock": "10.0.0.0/28"},
        {"CidrBlock": "10.0.0.0/29"},
        "InvalidSubnet.Range",
        "The CIDR '10.0.0.0/29' is invalid",
    ),
    (
        LISTENER,
        {"Protocol": "HTTP"},
        {"Certificates": [{}]},
        "ValidationError",
        ("Certificates has 1 items, but must have at most 0. Set Protocol to HTTPS or TLS, or leave Certificates out"),
    ),
    (
        LISTENER,
        {"Protocol": "HTTP"},
        {"SslPolicy": "p"},
        "ValidationError",
        "SslPolicy is not allowed here. Set Protocol to HTTPS or TLS, or leave SslPolicy out",
    ),
    (
        LISTENER,
        {"Protocol": "HTTPS", "Certificates": [{}]},
        {"Certificates": None},
        "ValidationError",
        "A certificate must be specified for HTTPS listeners",
    ),
    (LISTENER, {"Port": 65_535}, {"Port": 65_536}, "ValidationError", "above the maximum of 65535"),
    (
        BALANCER,
        {"Subnets": ["a", "b"]},
        {"Subnets": ["a"]},
        "ValidationError",
        "At least two subnets in two different Availability Zones must be specified",
    ),
    (
        BALANCER,
        {"Name": "n" * 32},
        {"Name": "n" * 33},
        "ValidationError",
        ("The load balancer name 'nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn' cannot be longer than '32' characters"),
    ),
    (
        BALANCER,
        {"Name": "web-1"},
        {"Name": "web_1"},
        "ValidationError",
        ("The value 'web_1' of Name does not match the pattern ^[a-zA-Z0-9-]+$. Write letters, digits and hyphens"),
    ),
    (
        BALANCER,
        {"Name": "web"},
        {"Name": "web-"},
        "ValidationError",
        "The load balancer name 'web-' cannot begin or end with '-'",
    ),
    (
        BALANCER,
        {"Name": "web"},
        {"Name": "internal-web"},
        "ValidationError",
        "The value 'internal-web' of Name is not allowed. Let the name not begin with internal-",
    ),
    (
        TARGETS,
        {"Name": "n" * 32},
        {"Name": "n" * 33},
        "ValidationError",
        "Target group name 'nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn' cannot be longer than '32' characters",
    ),
    (
        TARGETS,
        {"Name": "web"},
        {"Name": "web_1"},
        "ValidationError",
        ("Target group name 'web_1' can only contain characters that are alphanumeric characters or hyphens(-)"),
    ),
    (
        TARGETS,
        {"HealthCheckIntervalSeconds": 5},
        {"HealthCheckIntervalSeconds": 4},
        "ValidationError",
        "below the minimum of 5",
    ),
    (
        TABLE,
        ON_DEMAND,
        {"AttributeDefinitions": None},
        "ValidationException",
        (
            "One or more parameter values were invalid: Some index key attributes are not defined in "
            "AttributeDefinitions"
        ),
    ),
    (
        TABLE,
        ON_DEMAND | {"TableName": "abc"},
        {"TableName": "ab"},
        "ValidationException",
        "TableName must be at least 3 characters long and at most 255 characters long",
    ),
    (TABLE, ON_DEMAND, {"KeySchema": [{}] * 3}, "ValidationException", "at most 2"),
    (
        TABLE,
        ON_DEMAND | {"GlobalSecondaryIndexes": [{}] * 20},
        {"GlobalSecondaryIndexes": [{}] * 21},
        "ValidationException",
        ("One or more parameter values were invalid: GlobalSecondaryIndex count exceeds the per-table limit of 20"),
    ),
    (
        TABLE,
        ON_DEMAND | {"LocalSecondaryIndexes": [{}] * 5},
        {"LocalSecondaryIndexes": [{}] * 6},
        "ValidationException",
        ("One or more parameter values were invalid: LocalSecondaryIndex count exceeds the per-table limit of 5"),
    ),
    (
        TABLE,
        ON_DEMAND,
        {"ProvisionedThroughput": {}},
        "ValidationException",
        (
            "One or more parameter values were invalid: Neither ReadCapacityUnits nor "
            "WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST"
        ),
    ),
    (
        TABLE,
        ON_DEMAND,
        {"BillingMode": None},
        "ValidationException",
        (
            "One or more parameter values were invalid: ReadCapacityUnits and WriteCapacityUnits must "
            "both be specified when BillingMode is PROVISIONED"
        ),
    ),
    (
        GLOBAL,
        KEYS,
        {"KeySchema": None},
        "",
        (
            "One or more parameter values were invalid: Some index key attributes are not defined in "
            "AttributeDefinitions"
        ),
    ),
    (
        SECRET,
        {"Name": "app/key"},
        {"Name": "app key"},
        "ValidationException",
        ("Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!"),
    ),
    (SECRET, {"SecretString": "s"}, {"GenerateSecretString": {}}, "", "but not both"),
    (
        ALIAS,
        {"AliasName": "alias/app"},
        {"AliasName": "app"},
        "ValidationException",
        (
            'Alias must start with the prefix "alias/". Please see '
            "https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html"
        ),
    ),
    (ALIAS, {"AliasName": "alias/app"}, {"AliasName": "alias/aws/s3"}, "NotAuthorizedException", "are those of AWS"),
    (KEY, {"PendingWindowInDays": 7}, {"PendingWindowInDays": 6}, "ValidationException", "below the minimum of 7"),
    (
        KEY,
        {"KeySpec": "RSA_2048", "KeyUsage": "SIGN_VERIFY"},
        {"KeyUsage": None},
        "ValidationException",
        "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys",
    ),
    (PROVIDER, {"Url": ISSUER}, {"Url": "http://tokens.example"}, "ValidationError", "Write the issuer of the tokens"),
    (
        PROVIDER,
        {"Url": ISSUER, "ThumbprintList": ["0" * 40]},
        {"ThumbprintList": ["0" * 39]},
        "ValidationError",
        "ThumbprintList",
    ),
    (ROLE, {"RoleName": "r" * 64}, {"RoleName": "r" * 65}, "ValidationError", "1 to 64 letters"),
    (ROLE, {"MaxSessionDuration": 3600}, {"MaxSessionDuration": 3599}, "ValidationError", "below the minimum of 3600"),
    (
        ROLE,
        {"Description": "d" * 1000},
        {"Description": "d" * 1001},
        "ValidationError",
        "Description has 1001 characters, but must have at most 1000",
    ),
    (ROLE, {}, {"ManagedPolicyArns": ["p"] * 21}, "", "10 managed policies"),
    (
        ROLE,
        {},
        {"Policies": [{"PolicyDocument": {"Sid": "s" * 10_240}}]},
        "",
        "Maximum policy size of 10240 bytes exceeded for role ",
    ),
    (
        "AWS::IAM::ManagedPolicy",
        {},
        {"PolicyDocument": {"Sid": "s" * 6144}},
        "LimitExceeded",
        "Cannot exceed quota for PolicySize: 6144",
    ),
    (
        "AWS::IAM::Policy",
        {},
        {"PolicyDocument": {"Sid": "s" * 10_240}},
        "LimitExceeded",
        "Maximum policy size of 10240 bytes exceeded for role ",
    ),
    (LOGS, {"LogGroupName": "/app"}, {"LogGroupName": "app logs"}, "InvalidParameterException", "1 to 512 letters"),
    (
        LOGS,
        {"LogGroupName": "/aws/lambda/f"},
        {"LogGroupName": "aws/f"},
        "InvalidParameterException",
        "are those of AWS",
    ),
    (LOGS, {"RetentionInDays": 7}, {"RetentionInDays": 8}, "InvalidParameterException", "RetentionInDays"),
    (
        "AWS::Logs::MetricFilter",
        {"MetricTransformations": [{"DefaultValue": 0}]},
        {"MetricTransformations": [{"DefaultValue": 0, "Dimensions": []}]},
        "InvalidParameterException",
        "Invalid metric transformation: dimensions and default value are mutually exclusive properties",
    ),
    (
        "AWS::Logs::MetricFilter",
        {},
        {"MetricTransformations": [{"Dimensions": [{}] * 4}]},
        "InvalidParameterException",
        "at most 3",
    ),
    (
        RULE,
        {"Name": "app.rule"},
        {"Name": "app rule"},
        "ValidationException",
        (
            "1 validation error detected: Value 'app rule' at 'name' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: [\\.\\-_A-Za-z0-9]+"
        ),
    ),
    (
        RULE,
        {"Targets": [{}] * 5},
        {"Targets": [{}] * 6},
        "",
        "The requested resource exceeds the maximum number allowed",
    ),
    (
        RULE,
        {"ScheduleExpression": "rate(1 day)"},
        {"EventBusName": "orders"},
        "ValidationException",
        "ScheduleExpression is supported only on the default event bus",
    ),
    (
        PARAMETER,
        {"Name": "/app/aws"},
        {"Name": "/aws/app"},
        "AccessDeniedException",
        "No access to reserved parameter name: /aws/app",
    ),
    (
        PARAMETER,
        {"Value": "v" * 4096},
        {"Value": "v" * 4097},
        "ValidationException",
        "Standard tier parameters support a maximum parameter value of 4096 characters",
    ),
    (
        PARAMETER,
        {"Tier": "Advanced", "Value": "v" * 8192},
        {"Value": "v" * 8193},
        "ValidationException",
        "at most 8192",
    ),
    (
        BUCKET,
        {"BucketName": "my.data-1"},
        {"BucketName": "my..data"},
        "InvalidBucketName",
        "The specified bucket is not valid",
    ),
    (BUCKET, {"BucketName": "abc"}, {"BucketName": "Abc"}, "InvalidBucketName", "The specified bucket is not valid"),
    (
        BUCKET,
        encrypted("aws:kms"),
        encrypted("AES256"),
        "",
        "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse",
    ),
    (
        BUCKET,
        moved(30),
        moved(29),
        "",
        "'Days' in Transition action must be greater than or equal to 30 for storageClass",
    ),
    (FUNCTION, {"MemorySize": 128}, {"MemorySize": 127}, "ValidationException", "below the minimum of 128"),
    (
        ENVIRONMENT,
        {"ComputeResources": EC2},
        {"ComputeResources": EC2 | {"Ec2Configuration": [{}] * 3}},
        "ClientException",
        "at most 2",
    ),
    (
        ENVIRONMENT,
        {"ComputeResources": EC2 | {"InstanceTypes": ["optimal", "g5", "g5.xlarge"]}},
        {"ComputeResources": EC2 | {"InstanceTypes": ["g5.large"]}},
        "ClientException",
        "Instance type can only be one of",
    ),
    (ALARM, {"Period": 20}, {"Period": 90}, "ValidationError", "Period must be 10, 20, 30 or a multiple of 60"),
    (ALARM, {"EvaluationPeriods": 1}, {"EvaluationPeriods": 0}, "ValidationError", "below the minimum of 1"),
    (
        ALARM,
        {"DatapointsToAlarm": 2, "EvaluationPeriods": 2},
        {"DatapointsToAlarm": 3},
        "ValidationError",
        "DatapointsToAlarm must be less than or equal to EvaluationPeriods",
    ),
    (
        ALARM,
        {"EvaluationPeriods": 1440, "Period": "60"},
        {"EvaluationPeriods": 1441},
        "ValidationError",
        (
            "Metrics cannot be checked across more than a day (EvaluationPeriods * Period must be <= 86400) for alarms "
            "using period < 3600"
        ),
    ),
    (
        ALARM,
        {"EvaluationPeriods": 168, "Period": 3600},
        {"EvaluationPeriods": 169},
        "ValidationError",
        (
            "Metrics cannot be checked across more than a week (EvaluationPeriods * Period must be <= 604800) for "
            "alarms using period >= 3600"
        ),
    ),
    (
        TABLE,
        ON_DEMAND,
        {"TableName": "my table"},
        "ValidationException",
        (
            "1 validation error detected: Value 'my table' at 'tableName' failed to satisfy constraint: Member must "
            "satisfy regular expression pattern: [a-zA-Z0-9_.-]+"
        ),
    ),
    (
        MACHINE,
        {"InstanceType": "t3.micro"},
        {"InstanceType": "t3.mikro"},
        "InvalidParameterValue",
        "Invalid value 't3.mikro' for InstanceType",
    ),
    (
        MACHINE,
        {"InstanceType": "t3.micro"},
        {"InstanceType": "hpc7a.48xlarge"},
        "Unsupported",
        (
            "The requested configuration is currently not supported. Please check the documentation for supported "
            "configurations"
        ),
    ),
    (
        TARGETS,
        {"Name": "web"},
        {"Name": "web-"},
        "ValidationError",
        "Target group name 'web-' cannot begin or end with '-'",
    ),
    (
        RULE,
        {"Name": "r" * 64},
        {"Name": "r" * 65},
        "ValidationException",
        (
            f"1 validation error detected: Value '{'r' * 65}' at 'name' failed to satisfy constraint: Member must have "
            "length less than or equal to 64"
        ),
    ),
    (
        DOMAIN,
        SECURE,
        {"EncryptionAtRestOptions": {"Enabled": False}},
        "ValidationException",
        "You must enable encryption at rest to use advanced security options",
    ),
    (
        DOMAIN,
        SECURE,
        {"DomainEndpointOptions": {"EnforceHTTPS": False}},
        "ValidationException",
        "You must enable EnforceHTTPS in the domain endpoint options to use advanced security options",
    ),
    (
        DOMAIN,
        {"ClusterConfig": {"DedicatedMasterCount": 2}},
        {"ClusterConfig": {"DedicatedMasterCount": 1}},
        "ValidationException",
        "Dedicated master node count should be greater than 1",
    ),
    (
        DOMAIN,
        {"ClusterConfig": {"DedicatedMasterCount": 5}},
        {"ClusterConfig": {"DedicatedMasterCount": 6}},
        "ValidationException",
        "Dedicated master instances count should be between 2 and 5",
    ),
    (DOMAIN, {}, {"ClusterConfig": {"InstanceCount": 0}}, "ValidationException", "below the minimum of 1"),
    (DATABASE, POSTGRES, {"MasterUserPassword": "x" * 129}, "InvalidParameterValue", "at most 128"),
    (DATABASE, POSTGRES, {"MasterUsername": "a-b"}, "InvalidParameterValue", "Write 1 to 63 letters"),
    (
        DATABASE,
        MYSQL | {"AllocatedStorage": 20, "MaxAllocatedStorage": 22},
        {"MaxAllocatedStorage": 19},
        "InvalidParameterCombination",
        "Max storage size must be greater than storage size",
    ),
    (
        PARAMETER,
        {"Name": "/app/ssm"},
        {"Name": "/ssm/app"},
        "ValidationException",
        'Parameter name: can\'t be prefixed with "ssm" (case-insensitive)',
    ),
    (
        PARAMETER,
        {"Name": "app"},
        {"Name": "AWSapp"},
        "ValidationException",
        'Parameter name: can\'t be prefixed with "aws" or "ssm" (case-insensitive)',
    ),
    (
        API,
        HTTP_API,
        {"Target": "arn:aws:lambda:us-east-1:123456789012:function:f"},
        "BadRequestException",
        "Target is not allowed here",
    ),
    (
        GROUP,
        {"LifecycleHookSpecificationList": [{"HeartbeatTimeout": 30, "LifecycleTransition": LAUNCHING}]},
        {"LifecycleHookSpecificationList": [{"NotificationTargetARN": "t"}]},
        "ValidationError",
        "RoleARN",
    ),
    (HOOK, {"LifecycleTransition": LAUNCHING}, {"HeartbeatTimeout": 29}, "ValidationError", "below the minimum of 30"),
    (
        HOOK,
        {"LifecycleTransition": LAUNCHING},
        {"NotificationTargetARN": "arn:aws:lambda:us-east-1:123456789012:function:f", "RoleARN": "r"},
        "ValidationError",
        "A hook tells a topic or a queue",
    ),
    (REST_API, {"Name": "shop"}, {"CloneFrom": "a"}, "BadRequestException", "does not copy APIs"),
    (REST_API, {"Name": "shop"}, {"Name": {"Ref": "AWS::NoValue"}}, "BadRequestException", "Name"),
    (
        REST_API,
        {"Body": {}},
        {"BodyS3Location": {"Bucket": "b", "Key": "k"}},
        "BadRequestException",
        "BodyS3Location is not allowed together with Body",
    ),
    (REST_API, {"Body": {}}, {"Parameters": {"basepath": "drop"}}, "BadRequestException", "Parameters.basepath"),
    (
        REST_API,
        {"Body": {}, "Parameters": {"endpointConfigurationTypes": "REGIONAL"}},
        {"Parameters": {"endpointConfigurationTypes": "PRIVATE"}},
        "BadRequestException",
        "no private APIs",
    ),
    (
        REST_API,
        {"Body": {"securityDefinitions": {"iam": {"x-amazon-apigateway-authtype": "awsSigv4"}}}},
        {"Body": {"components": {"securitySchemes": {"own": {"x-amazon-apigateway-authorizer": {"type": "token"}}}}}},
        "BadRequestException",
        "Body.components.securitySchemes.own.x-amazon-apigateway-authorizer",
    ),
    (
        REST_API,
        {"Body": {"paths": {"/a": {"get": {"responses": {}}}}}},
        {"Body": {"paths": {"/a": {"get": {"x-amazon-apigateway-request-validator": "all"}}}}},
        "BadRequestException",
        "Body.paths./a.get.x-amazon-apigateway-request-validator",
    ),
    (
        REST_API,
        {"Body": {"paths": {"/a": {"get": {"x-amazon-apigateway-integration": {"type": "AWS_proxy"}}}}}},
        {"Body": {"paths": {"/a": {"get": {"x-amazon-apigateway-integration": {"type": "http"}}}}}},
        "BadRequestException",
        "call functions (aws_proxy) or answer by themselves (mock)",
    ),
    (
        REST_API,
        {"Body": {"paths": {"/a": {"get": {"x-amazon-apigateway-integration": {"requestTemplates": {"a/b": "{}"}}}}}}},
        {"Body": {"paths": {"/a": {"get": {"x-amazon-apigateway-integration": {"requestTemplates": {"a/b": "$a"}}}}}}},
        "BadRequestException",
        "has no template language",
    ),
    (
        REST_API,
        {"Name": "shop", "EndpointConfiguration": {"Types": ["REGIONAL"]}},
        {"EndpointConfiguration": {"Types": ["PRIVATE"]}},
        "BadRequestException",
        "no private APIs",
    ),
    (REST_API, {"Name": "shop"}, {"ApiKeySourceType": "AUTHORIZER"}, "BadRequestException", "no authorizers"),
    (REST_API, {"Name": "shop"}, {"MinimumCompressionSize": 1}, "BadRequestException", "a plain HTTP server"),
    (
        "AWS::ApiGateway::GatewayResponse",
        {"ResponseType": "DEFAULT_4XX"},
        {"ResponseType": "TEAPOT"},
        "ValidationException",
        "1 validation error detected: Value 'TEAPOT' at 'responseType' failed to satisfy constraint",
    ),
    (
        "AWS::ApiGateway::GatewayResponse",
        {"ResponseType": "DEFAULT_4XX", "StatusCode": "418"},
        {"StatusCode": "600"},
        "BadRequestException",
        "StatusCode",
    ),
    (
        "AWS::ApiGateway::GatewayResponse",
        {
            "ResponseParameters": {
                "gatewayresponse.header.a": "'b'",
                "gatewayresponse.header.c": "context.identity.user",
            }
        },
        {"ResponseParameters": {"gatewayresponse.header.a": "b"}},
        "BadRequestException",
        "A header is a text between quotation marks",
    ),
    (METHOD, OF_METHOD, {"AuthorizationType": "CUSTOM"}, "BadRequestException", "no authorizers"),
    (METHOD, OF_METHOD, {"HttpMethod": "TRACE"}, "BadRequestException", "of HttpMethod is not one of"),
    (METHOD, OF_METHOD, {"Integration": {"Type": "HTTP_PROXY"}}, "BadRequestException", "call functions (AWS_PROXY)"),
    (
        METHOD,
        OF_METHOD,
        {"Integration": {"Type": "MOCK", "RequestParameters": {"integration.request.header.A": "'a'"}}},
        "BadRequestException",
        "gives a function its request as it is",
    ),
    (METHOD, OF_METHOD, {"Integration": {"TimeoutInMillis": 29_001}}, "BadRequestException", "maximum of 29000"),
    (
        METHOD,
        OF_METHOD,
        {"Integration": {"Type": "AWS_PROXY", "Uri": "u"}},
        "BadRequestException",
        "IntegrationHttpMethod",
    ),
    (
        METHOD,
        OF_METHOD,
        {"Integration": {"Credentials": "arn:aws:iam::*:user/*"}},
        "BadRequestException",
        "by a role or",
    ),
    (
        METHOD,
        OF_METHOD,
        {"Integration": {"RequestTemplates": {"application/json": "$input.body"}}},
        "BadRequestException",
        "has no template language",
    ),
    (
        METHOD,
        OF_METHOD,
        {
            "Integration": {
                "IntegrationResponses": [{"ResponseParameters": {"method.response.header.A": "context.requestId"}}]
            }
        },
        "BadRequestException",
        "between quotation marks",
    ),
    (
        METHOD,
        OF_METHOD,
        {"Integration": {"IntegrationResponses": [{"ResponseTemplates": {"text/plain": "$context.requestId"}}]}},
        "BadRequestException",
        "but the template of add_cors_preflight",
    ),
    (DEPLOYMENT, {"StageName": "prod"}, {"DeploymentCanarySettings": {}}, "BadRequestException", "neither canary"),
    (DEPLOYMENT, {"StageName": "prod"}, {"StageDescription": {"CachingEnabled": True}}, "", "no caches, throttling"),
    (DEPLOYMENT, {"StageName": "prod"}, {"StageName": "pr od"}, "BadRequestException", "StageName"),
    (REST_STAGE, OF_STAGE, {"StageName": "pr.od"}, "BadRequestException", "StageName"),
    (REST_STAGE, OF_STAGE, {"MethodSettings": []}, "BadRequestException", "neither throttles, caches nor logs"),
    (REST_STAGE, OF_STAGE, {"Variables": {"size": "a b"}}, "BadRequestException", "Variables.size"),
    (API_KEY, {"Value": "a" * 20}, {"Value": "a"}, "BadRequestException", "Value"),
    (API_KEY, {}, {"GenerateDistinctId": True}, "BadRequestException", "every key has an id of its own"),
    (
        PLAN,
        {"ApiStages": [{"ApiId": "a", "Stage": "prod", "Throttle": {}}]},
        {"Throttle": {"RateLimit": 1}},
        "BadRequestException",
        "neither throttles requests nor counts them",
    ),
    (
        "AWS::ApiGateway::UsagePlanKey",
        {"KeyType": "API_KEY"},
        {"KeyType": "KEY"},
        "BadRequestException",
        "of KeyType is not one of",
    ),
    (API, HTTP_API, {"ProtocolType": "WEBSOCKET"}, "BadRequestException", "no WebSocket APIs"),
    (API, DESCRIBED, {"Name": "shop"}, "BadRequestException", "Redundant fields [...] provided when either Body or"),
    (API, DESCRIBED, {"BodyS3Location": {"Bucket": "b", "Key": "k"}}, "BadRequestException", "BodyS3Location"),
    (API, HTTP_API, {"FailOnWarnings": True}, "BadRequestException", "It is about an OpenAPI document"),
    (API, DESCRIBED, {"BasePath": "keep"}, "BadRequestException", "is not one of ignore, prepend, split"),
    (API, DESCRIBED, {"Body": {"paths": {"/": {"get": FORWARDED}}}}, "BadRequestException", "neither other addresses"),
    (API, DESCRIBED, {"Body": {"components": SHARED}}, "BadRequestException", "neither other addresses"),
    (API, DESCRIBED, {"Body": {"components": AUTHORIZED}}, "BadRequestException", "has no authorizers"),
    (INTEGRATION, PROXY, {"IntegrationType": "HTTP_PROXY"}, "BadRequestException", "neither other addresses nor VPC"),
    (INTEGRATION, PROXY, {"CredentialsArn": "r"}, "BadRequestException", "CredentialsArn is not allowed here"),
    (INTEGRATION, PROXY, {"TimeoutInMillis": 30_001}, "BadRequestException", "above the maximum of 30000"),
    (INTEGRATION, PROXY, {"IntegrationUri": {"Ref": "AWS::NoValue"}}, "BadRequestException", "IntegrationUri"),
    (ROUTE, {"RouteKey": "$default"}, {"AuthorizerId": "a"}, "BadRequestException", "no authorizers"),
    (ROUTE, {"RouteKey": "$default"}, {"ApiKeyRequired": True}, "BadRequestException", "WebSocket APIs"),
    (STAGE, DEPLOYED, {"DeploymentId": "d"}, "BadRequestException", "DeploymentId is not allowed here"),
    (STAGE, DEPLOYED, {"AutoDeploy": {"Ref": "AWS::NoValue"}}, "BadRequestException", "AutoDeploy"),
    (STAGE, DEPLOYED, {"AutoDeploy": False}, "BadRequestException", "deploy by themselves"),
    (
        MACHINE_OF_STATES,
        {"RoleArn": "r"},
        {"StateMachineType": "EXPRESS"},
        "ValidationException",
        "no express workflows",
    ),
    (
        MACHINE_OF_STATES,
        {"RoleArn": "r"},
        {"LoggingConfiguration": {"Level": "ALL"}},
        "ValidationException",
        "writes no logs of them",
    ),
]
