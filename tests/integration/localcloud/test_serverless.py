"""Templates of the Serverless Application Model: what AWS's translator makes of them is deployed, and works."""

from __future__ import annotations

import json
import time
import uuid
from io import BytesIO
from typing import Any
from zipfile import ZipFile

import pytest
import urllib3
from botocore.exceptions import ClientError

from localcloud import LocalCloud

TRANSFORM = "AWS::Serverless-2016-10-31"
CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
CODE = """
import json
import os
import boto3

table = boto3.resource("dynamodb").Table(os.environ["TABLE"])

def handler(event, context):
    for record in event.get("Records", []):
        table.put_item(Item={"id": record["body"]})
    return {"statusCode": 200, "body": json.dumps([item["id"] for item in table.scan()["Items"]])}
"""
ORDERS = """
Transform: AWS::Serverless-2016-10-31
Globals:
  Function:
    Runtime: python3.12
    Handler: index.handler
    Timeout: 10
    Environment: {Variables: {TABLE: !Ref Table}}
Resources:
  Table:
    Type: AWS::Serverless::SimpleTable
  Queue:
    Type: AWS::SQS::Queue
    Properties: {VisibilityTimeout: 60}
  Orders:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: |
        CODE
      AutoPublishAlias: live
      Policies:
      - DynamoDBCrudPolicy: {TableName: !Ref Table}
      - AmazonSQSReadOnlyAccess
      Events:
        Order: {Type: SQS, Properties: {Queue: !GetAtt Queue.Arn}}
        Daily: {Type: Schedule, Properties: {Schedule: rate(1 day)}}
Outputs:
  Queue: {Value: !Ref Queue}
  Function: {Value: !Ref Orders}
  Version: {Value: !Ref Orders.Version}
"""


@pytest.fixture(scope="module")
def cloudformation(cloud: LocalCloud) -> Any:
    return cloud.client("cloudformation")


def new(word: str) -> str:
    return f"{word}{uuid.uuid4().hex[:8]}"


def with_code(template: str) -> str:
    return template.replace("CODE\n", CODE.strip().replace("\n", "\n        ") + "\n")


def created(cloudformation: Any, template: str) -> tuple[str, dict[str, str]]:
    """Create a stack; return its name and outputs."""
    stack = new("sam")
    cloudformation.create_stack(StackName=stack, TemplateBody=template, Capabilities=CAPABILITIES)
    [described] = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
    assert described["StackStatus"] == "CREATE_COMPLETE", [event.get("ResourceStatusReason") for event in events]
    return stack, {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}


def reasons(cloudformation: Any, stack: str) -> list[str]:
    events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
    return [event.get("ResourceStatusReason") or "" for event in events]


def test_a_function_works_with_its_policies_and_events(cloud: LocalCloud, cloudformation: Any) -> None:
    stack, outputs = created(cloudformation, with_code(ORDERS))
    assert outputs["Version"].endswith(":1")
    cloud.client("sqs").send_message(QueueUrl=outputs["Queue"], MessageBody="an order")
    functions = cloud.client("lambda")
    answer = []
    for _ in range(600):
        payload = json.loads(functions.invoke(FunctionName=f"{outputs['Function']}:live")["Payload"].read())
        answer = json.loads(payload["body"])
        if answer:
            break
        time.sleep(0.1)
    assert answer == ["an order"]
    types = {
        resource["ResourceType"]
        for resource in cloudformation.describe_stack_resources(StackName=stack)["StackResources"]
    }
    assert {"AWS::DynamoDB::Table", "AWS::Lambda::Alias", "AWS::Events::Rule", "AWS::IAM::Role"} <= types
    assert not [kind for kind in types if kind.startswith("AWS::Serverless")]


def test_a_template_is_shown_as_it_was_written_and_as_it_is_deployed(cloudformation: Any) -> None:
    text, stack = with_code(ORDERS), new("set")
    summary = cloudformation.get_template_summary(TemplateBody=text)
    assert summary["DeclaredTransforms"] == [TRANSFORM]
    assert "AWS::Serverless::Function" in summary["ResourceTypes"]
    request = {"StackName": stack, "ChangeSetName": "first", "ChangeSetType": "CREATE"}
    cloudformation.create_change_set(**request, TemplateBody=text, Capabilities=["CAPABILITY_IAM"])
    cloudformation.execute_change_set(StackName=stack, ChangeSetName="first")
    assert cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"] == "CREATE_COMPLETE"
    written = cloudformation.get_template(StackName=stack)["TemplateBody"]
    processed = cloudformation.get_template(StackName=stack, TemplateStage="Processed")["TemplateBody"]
    assert "AWS::Serverless::SimpleTable" in str(written)
    assert processed["Resources"]["Table"]["Type"] == "AWS::DynamoDB::Table"
    assert "Globals" not in processed


def test_code_in_s3_is_deployed_and_changed(cloud: LocalCloud, cloudformation: Any) -> None:
    s3, bucket = cloud.client("s3"), new("code")
    s3.create_bucket(Bucket=bucket)
    template = {
        "Transform": TRANSFORM,
        "Parameters": {"Key": {"Type": "String"}},
        "Resources": {
            "Function": {
                "Type": "AWS::Serverless::Function",
                "Properties": {
                    "Runtime": "python3.12",
                    "Handler": "app.handler",
                    "CodeUri": {"Bucket": bucket, "Key": {"Ref": "Key"}},
                },
            }
        },
        "Outputs": {"Function": {"Value": {"Ref": "Function"}}},
    }
    for word in ("one", "two"):
        content = BytesIO()
        with ZipFile(content, "w") as archive:
            archive.writestr("app.py", f"def handler(event, context):\n    return {word!r}\n")
        s3.put_object(Bucket=bucket, Key=f"{word}.zip", Body=content.getvalue())
    request = {"StackName": new("s3"), "TemplateBody": json.dumps(template), "Capabilities": CAPABILITIES}
    for change, word in ((cloudformation.create_stack, "one"), (cloudformation.update_stack, "two")):
        change(**request, Parameters=[{"ParameterKey": "Key", "ParameterValue": f"{word}.zip"}])
        [stack] = cloudformation.describe_stacks(StackName=request["StackName"])["Stacks"]
        answer = cloud.client("lambda").invoke(FunctionName=stack["Outputs"][0]["OutputValue"])
        assert json.loads(answer["Payload"].read()) == word


START = (
    "Transform AWS::Serverless-2016-10-31 failed with: Invalid Serverless Application Specification document. "
    "Number of errors found: 1. Resource with id [Function] is invalid. "
)


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        ({"InlineCode": "pass"}, "Runtime and Handler needs to be present when PackageType is of type `Zip`"),
        ({"CodeUri": "src/"}, "'CodeUri' is not a valid S3 Uri of the form 's3://bucket/key' with optional versionId"),
        ({"Policies": [{"NoSuchPolicy": {}}]}, "Policy at index 0 in the 'Policies' property is not valid"),
    ],
    ids=["no handler", "a local folder", "an unknown policy"],
)
def test_what_sam_refuses_is_rolled_back_with_its_words(
    cloudformation: Any, properties: dict[str, Any], reason: str
) -> None:
    code = {} if "InlineCode" in properties else {"Runtime": "python3.12", "Handler": "index.handler"}
    if "CodeUri" not in properties:
        code |= {"InlineCode": "pass"}
    function = {"Type": "AWS::Serverless::Function", "Properties": code | properties}
    text, stack = json.dumps({"Transform": TRANSFORM, "Resources": {"Function": function}}), new("refused")
    cloudformation.create_stack(StackName=stack, TemplateBody=text, Capabilities=CAPABILITIES)
    assert cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"] == "ROLLBACK_COMPLETE"
    assert [word for word in reasons(cloudformation, stack) if START + reason in word]


def test_an_application_of_the_repository_is_refused_by_name(cloudformation: Any) -> None:
    location = {
        "ApplicationId": "arn:aws:serverlessrepo:us-east-1:123456789012:applications/hello",
        "SemanticVersion": "1",
    }
    application = {"Type": "AWS::Serverless::Application", "Properties": {"Location": location}}
    text = json.dumps({"Transform": TRANSFORM, "Resources": {"Hello": application}})
    with pytest.raises(ClientError, match=r"/Resources/Hello.*no Serverless Application Repository"):
        cloudformation.create_stack(StackName=new("app"), TemplateBody=text, Capabilities=CAPABILITIES)


def test_a_nested_application_in_s3_is_deployed(cloud: LocalCloud, cloudformation: Any) -> None:
    s3, bucket = cloud.client("s3"), new("apps")
    s3.create_bucket(Bucket=bucket)
    inner = {"Transform": TRANSFORM, "Resources": {"Table": {"Type": "AWS::Serverless::SimpleTable"}}}
    s3.put_object(Bucket=bucket, Key="inner.json", Body=json.dumps(inner))
    url = f"https://{bucket}.s3.amazonaws.com/inner.json"
    application = {"Type": "AWS::Serverless::Application", "Properties": {"Location": url}}
    outer = {
        "Transform": TRANSFORM,
        "Resources": {"Inner": application},
        "Outputs": {"Inner": {"Value": {"Ref": "Inner"}}},
    }
    _, outputs = created(cloudformation, json.dumps(outer))
    [table] = cloudformation.describe_stack_resources(StackName=outputs["Inner"])["StackResources"]
    assert table["ResourceType"] == "AWS::DynamoDB::Table"


HTTP_API = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Shop:
    Type: AWS::Serverless::HttpApi
    Properties:
      StageName: prod
      CorsConfiguration: {AllowOrigins: ["https://example.com"], AllowMethods: [GET]}
  Items:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.12
      Handler: index.handler
      InlineCode: "def handler(event, context): return event['pathParameters']"
      Events:
        One: {Type: HttpApi, Properties: {ApiId: !Ref Shop, Path: "/items/{id}", Method: get}}
Outputs:
  Url: {Value: !Sub "https://${Shop}.execute-api.${AWS::Region}.amazonaws.com/prod"}
"""


def test_an_http_api_calls_its_function(cloudformation: Any) -> None:
    _, outputs = created(cloudformation, HTTP_API)
    answer = urllib3.request("GET", f"{outputs['Url']}/items/7", headers={"Origin": "https://example.com"})
    assert (answer.status, answer.json()) == (200, {"id": "7"})
    assert answer.headers["Access-Control-Allow-Origin"] == "https://example.com"
    assert urllib3.request("POST", f"{outputs['Url']}/items/7").status == 404


REST_API = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Shop:
    Type: AWS::Serverless::Api
    Properties:
      StageName: prod
      Cors: "'https://example.com'"
      Auth:
        ApiKeyRequired: true
        AddApiKeyRequiredToCorsPreflight: false
        UsagePlan: {CreateUsagePlan: PER_API}
  Items:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.12
      Handler: index.handler
      AutoPublishAlias: live
      FunctionUrlConfig: {AuthType: NONE}
      InlineCode: |
        def handler(event, context):
            return {"statusCode": 200, "body": context.invoked_function_arn}
      Events:
        One: {Type: Api, Properties: {RestApiId: !Ref Shop, Path: "/items/{id}", Method: get}}
Outputs:
  Url: {Value: !Sub "https://${Shop}.execute-api.${AWS::Region}.amazonaws.com/prod"}
  Own: {Value: !GetAtt ItemsUrl.FunctionUrl}
  Key: {Value: !Ref ShopApiKey}
"""


def test_a_rest_api_and_a_url_call_the_alias_of_their_function(cloud: LocalCloud, cloudformation: Any) -> None:
    _, outputs = created(cloudformation, REST_API)
    item = f"{outputs['Url']}/items/7"
    assert urllib3.request("GET", item).status == 403
    key = cloud.client("apigateway").get_api_key(apiKey=outputs["Key"], includeValue=True)["value"]
    answer = urllib3.request("GET", item, headers={"x-api-key": key})
    assert (answer.status, answer.data.decode().rpartition(":")[2]) == (200, "live")
    assert urllib3.request("GET", outputs["Own"]).data == answer.data
    asked = {"Origin": "https://example.com", "Access-Control-Request-Method": "GET"}
    preflight = urllib3.request("OPTIONS", item, headers=asked)
    assert preflight.headers["Access-Control-Allow-Origin"] == "https://example.com"
    assert preflight.headers["Access-Control-Allow-Methods"] == "GET,OPTIONS"
