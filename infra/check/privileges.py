"""Check that a role may do exactly what its code calls, except where somebody has given a reason.

The template holds the code of a function. For jobs and instances, privileges.yaml names the modules; what they
import of this project counts too. Calls are found by reading, module by module: a module that makes a client of a
service calls whichever of its attributes are operations of that service. Operations become actions as botocore's
models and the table below say. What AWS itself does in the name of a role (logs, queues, networks) follows from the
template.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from botocore import xform_name
from botocore.session import get_session

from contract.stacks import StackName
from contract.workloads import TRAINING
from infra import PROJECT
from infra.constructs.bundle import LOADER

Json = dict[str, Any]
ROLES: dict[str, dict[str, Json]] = yaml.safe_load(Path(__file__).with_name("privileges.yaml").read_text("utf-8"))
"""By stack and role: the modules behind it; what it may do besides; what its code does that it may not."""
TRAINING_JOB = ROLES["anchors"]["training job"]
ROLES[StackName.TRAINING] |= {
    workload.job_role: TRAINING_JOB
    | {"code": [*TRAINING_JOB["code"], f"workloads.training.models.{workload.module}.model"]}
    for workload in TRAINING.values()
}
#: Prefixes of actions where they are not the service's name in boto3.
PREFIXES = {
    "bedrock-runtime": "bedrock",
    "neptunedata": "neptune-db",
    "timestream-query": "timestream",
    "timestream-write": "timestream",
}
#: Operations, and methods of boto3's own, whose permission has another name. An empty set: needs none.
ACTIONS = {
    ("lambda", "invoke"): {"lambda:InvokeFunction"},
    ("s3", "upload_file"): {"s3:PutObject", "s3:AbortMultipartUpload"},
    ("s3", "upload_fileobj"): {"s3:PutObject", "s3:AbortMultipartUpload"},
    ("s3", "download_file"): {"s3:GetObject"},
    ("s3", "download_fileobj"): {"s3:GetObject"},
    ("s3", "head_object"): {"s3:GetObject"},
    ("s3", "list_objects_v2"): {"s3:ListBucket"},
    ("s3", "head_bucket"): {"s3:ListBucket"},
    ("s3", "delete_objects"): {"s3:DeleteObject"},
    ("dynamodb", "batch_writer"): {"dynamodb:BatchWriteItem"},
    ("dynamodb", "transact_write_items"): set(),  # by what is in the transaction
    ("sqs", "send_message_batch"): {"sqs:SendMessage"},
    ("neptunedata", "execute_open_cypher_query"): set(),  # by what the queries say
    ("neptunedata", "execute_open_cypher_explain_query"): set(),
    ("dynamodb", "execute_statement"): {"dynamodb:PartiQLSelect"},  # what a person asks may only read
    ("timestream-write", "write_records"): {"timestream:WriteRecords", "timestream:DescribeEndpoints"},
    ("timestream-query", "query"): {"timestream:Select", "timestream:DescribeEndpoints"},
}
CLIENTS = ("client", "resource")
#: The HTTP methods behind those of opensearch-py.
SEARCH = {"exists": "Head", "create": "Put", "get_mapping": "Get", "bulk": "Post", "refresh": "Post", "search": "Post"}
SEARCH |= {"get": "Get", "count": "Post", "delete": "Delete", "delete_by_query": "Post", "put_mapping": "Put"}
#: What the parts of a transaction of DynamoDB need.
TRANSACTION = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}
#: What openCypher's words need.
GRAPH = {"Read": r"\bMATCH\b", "Write": r"\b(MERGE|CREATE|SET)\b", "Delete": r"\bDELETE\b"}
#: What Lambda does in a function's name, by where its events come from.
STREAM = {f"dynamodb:{action}" for action in ("DescribeStream", "GetRecords", "GetShardIterator", "ListStreams")}
QUEUE = {f"sqs:{action}" for action in ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")}
NETWORK = {
    f"ec2:{action}"
    for action in ("CreateNetworkInterface", "DeleteNetworkInterface", "DescribeNetworkInterfaces", "DescribeSubnets")
}


@dataclass(frozen=True)
class Role:
    """A role of a stack.

    Attributes:
        stack: The stack's name, or the variant of it that was synthesised.
        name: Logical id, of a role or of a managed policy that people attach themselves.
        allowed: Actions that its policies allow.
        needed: Actions that its code and AWS in its name need.
    """

    stack: str
    name: str
    allowed: set[str]
    needed: set[str]

    def faults(self) -> Iterator[str]:
        """Return what is missing and what is too much, as lines for people."""
        row = ROLES.get(self.stack, {}).get(self.name, {})
        also, never = row.get("also", {}), row.get("never", {})
        where = f"{self.stack}: {self.name}"
        yield from (
            f"{where}: {action} is called but not allowed" for action in self.needed - self.allowed - never.keys()
        )
        yield from (
            f"{where}: {action} is allowed but not called" for action in self.allowed - self.needed - also.keys()
        )
        stale = also.keys() - (self.allowed - self.needed) | never.keys() - (self.needed - self.allowed)
        yield from (f"{where}: privileges.yaml explains {action} for nothing" for action in stale)


def roles(stack: str, template: Json) -> Iterator[Role]:
    """Yield the roles of a template whose policies we write: all but those that have only policies of AWS."""
    resources: Json = template["Resources"]
    for name, body in resources.items():
        if body["Type"] == "AWS::IAM::Role":
            allowed = set(_actions(_documents(name, resources)))
        elif body["Type"] == "AWS::IAM::ManagedPolicy" and name in ROLES.get(stack, {}):
            allowed = set(_actions([body["Properties"]["PolicyDocument"]]))
        else:
            continue
        needed = set(_of_functions(name, resources))
        for module in ROLES.get(stack, {}).get(name, {}).get("code", ()):
            needed |= called_from(module)
        if allowed or needed:
            yield Role(stack, name, allowed, needed)


def _documents(role: str, resources: Json) -> list[Json]:
    documents = [policy["PolicyDocument"] for policy in resources[role]["Properties"].get("Policies", [])]
    managed = resources[role]["Properties"].get("ManagedPolicyArns", [])
    for name, body in resources.items():
        properties = body.get("Properties", {})
        if (body["Type"] == "AWS::IAM::Policy" and {"Ref": role} in properties.get("Roles", [])) or (
            body["Type"] == "AWS::IAM::ManagedPolicy" and {"Ref": name} in managed
        ):
            documents.append(properties["PolicyDocument"])
    return documents


def _actions(documents: list[Json]) -> Iterator[str]:
    for document in documents:
        for statement in document["Statement"]:
            if statement["Effect"] == "Allow":
                actions = statement["Action"]
                yield from [actions] if isinstance(actions, str) else actions


def _of_functions(role: str, resources: Json) -> Iterator[str]:
    """Yield the actions that the functions of a role need: for their code, and for Lambda in their name."""
    for name, body in resources.items():
        properties = body.get("Properties", {})
        if body["Type"] == "AWS::Lambda::Function" and properties["Role"] == {"Fn::GetAtt": [role, "Arn"]}:
            yield from calls(properties["Code"]["ZipFile"])
            yield from ("logs:CreateLogStream", "logs:PutLogEvents")
            yield from ["sqs:SendMessage"] if "DeadLetterConfig" in properties else []
            yield from NETWORK if "VpcConfig" in properties else ()
            for source in resources.values():
                if source["Type"] == "AWS::Lambda::EventSourceMapping":
                    events = source["Properties"]
                    if events["FunctionName"] == {"Ref": name}:
                        yield from STREAM if "StartingPosition" in events else QUEUE
                        yield from ["sqs:SendMessage"] if "OnFailure" in events.get("DestinationConfig", {}) else []


@cache
def called_from(module: str) -> frozenset[str]:
    """Return the actions that a module and its imports of this project call; `loader` is the one in a container."""
    if module == "loader":
        return frozenset(calls(LOADER))
    actions: set[str] = set()
    waiting, seen = [module], set()
    while waiting:
        name = waiting.pop()
        path = PROJECT / f"{name.replace('.', '/')}.py"
        path = path if path.exists() else path.with_suffix("") / "__init__.py"
        if name in seen or not path.exists():
            continue
        seen.add(name)
        source = path.read_text("utf-8")
        actions |= calls(source, queries=path.parent / "queries")
        waiting += _imports(source)
    return frozenset(actions)


def _imports(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("workloads"):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("workloads"))


def calls(source: str, queries: Path | None = None) -> set[str]:
    """Return the actions that the calls of a module need.

    Args:
        source: The text of the module.
        queries: Folder of the query files that it names.
    """
    tree = ast.parse(source)
    nodes = list(ast.walk(tree))
    attributes = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    texts = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    actions: set[str] = set()
    for service in _services(nodes):
        operations = {xform_name(name): name for name in _operations(service)}
        # Paginators and waiters are asked for by the operation's name.
        for method in attributes | set(texts):
            if (service, method) in ACTIONS:
                actions |= ACTIONS[service, method]
            elif method in operations:
                actions.add(f"{PREFIXES.get(service, service)}:{operations[method]}")
        if service == "dynamodb" and "transact_write_items" in attributes:
            actions |= {f"dynamodb:{TRANSACTION[text]}" for text in texts if text in TRANSACTION}
        if service == "neptunedata":
            query_files = [queries / text for text in texts if queries and text.endswith(".cypher")]
            query_text = "\n".join([*texts, *(path.read_text("utf-8") for path in query_files if path.exists())])
            actions |= {f"neptune-db:{kind}DataViaQuery" for kind, word in GRAPH.items() if re.search(word, query_text)}
    if "es" in texts and re.search("SigV4Auth|SignerAuth", source):
        verbs = {text.title() for text in texts if text in ("GET", "HEAD", "POST", "PUT", "DELETE")}
        by_name = {verb for method, verb in SEARCH.items() if method in attributes and "opensearchpy" in source}
        actions |= {f"es:ESHttp{verb}" for verb in verbs | by_name}
    return actions


def _services(nodes: list[ast.AST]) -> set[str]:
    """Yield the services of which a module makes clients: `boto3.client("s3")`, `session.resource("dynamodb")`."""
    return {
        node.args[0].value
        for node in nodes
        if isinstance(node, ast.Call)
        and (node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")) in CLIENTS
        and node.args
        and isinstance(node.args[0], ast.Constant)
        and isinstance(node.args[0].value, str)
    }


@cache
def _operations(service: str) -> tuple[str, ...]:
    return tuple(get_session().get_service_model(service).operation_names)
