"""Write `cloudformation/*.yaml`, the templates for people who deploy from the console, from the classes of the stacks.

Settings become parameters, which the console asks for under their headings. A template needs nothing outside its
file: neither a bucket of the CDK nor an asset.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from aws_cdk import App, BootstraplessSynthesizer, CfnParameter, CfnResource, Stack, cx_api

from infra import PROJECT
from infra.config import Config
from infra.console import other_tools
from infra.console.readable_yaml import as_yaml
from infra.console.settings_table import with_tables
from infra.stack import GroundworkStack
from infra.stacks import STACKS

FOLDER = PROJECT / "cloudformation"
PAGES = PROJECT / "docs" / "stacks"
COMPANY = PROJECT / "docs" / "company.md"
#: The stacks by the file of their template.
TEMPLATES: dict[str, type[GroundworkStack]] = {f"{stack.SECTION.replace('_', '-')}.yaml": stack for stack in STACKS}
DIRECT_UPLOAD = 51_200  # bytes that CreateStack takes without S3
HEADER = """\
# {description}
#
# Upload this file in the CloudFormation console (Create stack), or:
#   aws cloudformation deploy --template-file {file} --stack-name {name} --capabilities CAPABILITY_IAM \\
#     {bucket}--parameter-overrides ...
#
# Written by `make templates` from infra/{module}; edit that, not this.

"""
WORDS = {
    "vpc": "VPC",
    "id": "",
    "vcpus": "vCPUs",
    "gpu": "GPU",
    "gpus": "GPUs",
    "email": "E-mail",
    "arn": "ARN",
    "cidr": "CIDR",
    "ssh": "SSH",
    "influxdb": "InfluxDB",
}
UNITS = {"gib": "GiB", "mib": "MiB", **{unit: unit for unit in ("seconds", "minutes", "hours", "days", "percent")}}


def with_parameters(stack: Stack, name: str) -> Config:
    """Return a configuration in which the settings of one stack are references to parameters of that stack."""
    model = type(getattr(Config(), name))
    references: dict[str, Any] = {}
    groups: dict[str, list[str]] = {}
    labels: dict[str, str] = {}
    settings = model.model_json_schema()["properties"]
    for field, schema in settings.items():
        if schema["console"]:
            for mentioned in filter(re.compile("_").search, settings):  # the console asks for them by their labels
                schema["description"] = re.sub(rf"\b{mentioned}\b", label(mentioned), schema["description"])
            parameter_name = "".join(word.title() for word in field.split("_"))
            parameter = CfnParameter(stack, parameter_name, **parameter_options(schema))
            references[field] = parameter_value(parameter, schema)
            groups.setdefault(schema["group"], []).append(parameter_name)
            labels[parameter_name] = label(field)
    stack.template_options.metadata = {
        "AWS::CloudFormation::Interface": {
            "ParameterGroups": [
                {"Label": {"default": group}, "Parameters": parameters} for group, parameters in groups.items()
            ],
            "ParameterLabels": {parameter: {"default": text} for parameter, text in labels.items()},
        }
    }
    return Config().model_copy(update={name: model.model_construct(**references)})


def parameter_options(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the options of the `CfnParameter` for a setting, from its JSON schema."""
    default, kind = schema["default"], schema["kind"]
    options: dict[str, Any] = {"description": schema["description"]}
    if schema["console"] != "required":
        options["default"] = ",".join(default) if isinstance(default, list) else default
        options["description"] += f" Empty: {schema['empty']}." if schema["empty"] else ""
    if "enum" in schema:
        options |= {"allowed_values": [str(value) for value in schema["enum"]], "default": str(default)}
    if kind:
        return options | {"type": kind}
    if schema["type"] == "boolean":
        return options | {"type": "String", "default": str(default).lower(), "allowed_values": ["true", "false"]}
    if schema["type"] == "integer":
        limits = {"min_value": schema.get("minimum"), "max_value": schema.get("maximum")}
        return options | limits | {"type": "Number"}
    if "pattern" in schema:
        pattern = schema["pattern"]
        if schema["console"] == "required":
            pattern = re.sub(r"^\^\((.*)\)\?\$$", r"^\1$", pattern)  # may not be empty
        options |= {"allowed_pattern": pattern, "constraint_description": f"Must be {schema['hint']}."}
    return options | {"type": "String"}


def parameter_value(parameter: CfnParameter, schema: dict[str, Any]) -> Any:
    """Return the token that stands for the parameter in a setting of this type."""
    match schema["type"]:
        case "array":
            return parameter.value_as_list
        case "integer":
            return parameter.value_as_number
        case "boolean":
            return parameter.value
        case _:
            return parameter.value_as_string


def label(field: str) -> str:
    """Return what the console calls a setting: `job_memory_mib` is "Job memory (MiB)", `subnet_ids` is "Subnets"."""
    *words, last = field.removesuffix("_ids").split("_")
    words += [f"({UNITS[last]})" if last in UNITS else last + ("s" if field.endswith("_ids") else "")]
    text = " ".join(filter(None, (WORDS.get(word, word) for word in words)))
    return text[0].upper() + text[1:]


def stack_of(file: str) -> GroundworkStack:
    """Return the stack behind a console template, with parameters as settings, in an app that has no other stack."""
    kind = TEMPLATES[file]
    return kind(
        App(builtin_cloud_formation_validation=False),  # cfn-lint looks at them in `infra.check`
        kind.__name__,
        lambda stack: with_parameters(stack, kind.SECTION),
        synthesizer=BootstraplessSynthesizer(),
    )


def assembly_of(stack: Stack) -> cx_api.CloudAssembly:
    """Synthesise the app of a stack."""
    app = App.of(stack)
    if not isinstance(app, App):
        raise TypeError(f"{stack.stack_name} stands in no app")
    return app.synth()


def template_of(stack: Stack) -> dict[str, Any]:
    """Synthesise the app of a stack, and return the stack's template."""
    template: dict[str, Any] = assembly_of(stack).get_stack_by_name(stack.stack_name).template
    return template


def render(file: str, stack: GroundworkStack) -> str:
    """Return the text of one console template, from the stack behind it."""
    name, template = stack.stack_name, template_of(stack)
    module = f"{stack.SECTION}.py" if (PROJECT / "infra" / f"{stack.SECTION}.py").exists() else f"{stack.SECTION}/"
    body = as_yaml(_named_by_stack(template, name), titles(stack))
    # The console sends a large file through a bucket by itself; the command line must be told of one.
    bucket = "--s3-bucket YOUR-BUCKET " if len(body.encode()) > DIRECT_UPLOAD - len(HEADER) else ""
    values = {"description": template["Description"], "file": file, "name": name}
    return HEADER.format(**values, module=module, bucket=bucket) + body


def _named_by_stack(node: Any, name: str) -> Any:
    """Let tags begin with the name that a person chooses for the stack, such as `WebApp/Network/Vpc`."""
    match node:
        case {"Key": "Name", "Value": str() as value} if value.startswith(f"{name}/"):
            return {"Key": "Name", "Value": {"Fn::Join": ["", [{"Ref": "AWS::StackName"}, value.removeprefix(name)]]}}
        case dict():
            return {key: _named_by_stack(value, name) for key, value in node.items()}
        case list():
            return [_named_by_stack(value, name) for value in node]
        case _:
            return node


def titles(stack: GroundworkStack) -> dict[str, str]:
    """Return the headings of a stack by the logical id of the first resource below each."""
    headings = {}
    for index, title in stack.headings.items():
        below = (element for child in stack.node.children[index:] for element in child.node.find_all())
        resource = next(element for element in below if isinstance(element, CfnResource))
        headings[stack.resolve(resource.logical_id)] = title
    return headings


def written_from(stacks: Mapping[str, GroundworkStack]) -> dict[Path, str]:
    """Return what the templates, the files for other programs and the docs' tables of settings should say."""
    templates = {FOLDER / file: render(file, stack) for file, stack in stacks.items()}
    pages = [*sorted(PAGES.glob("*.md")), COMPANY]
    synthesised = {file: template_of(stack) for file, stack in stacks.items()}
    tables = {page: with_tables(page.read_text(encoding="utf-8")) for page in pages}
    return templates | tables | other_tools.texts(synthesised)


def stale(texts: Mapping[Path, str]) -> Iterator[Path]:
    """Yield the files that differ from their texts."""
    for path, text in texts.items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            yield path


def complaint(path: Path) -> str:
    """Say what to do about a stale file."""
    return f"{path.relative_to(PROJECT)} is not what the code writes; run `make templates`"


def write_or_compare(program: str, description: str | None, make_texts: Callable[[], Mapping[Path, str]]) -> int:
    """Run the command line of a program that writes files; with `--check` it compares them and writes nothing.

    Args:
        program: The module.
        description: The text of its help.
        make_texts: Returns the texts of the files.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {program}", description=description)
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    check = parser.parse_args().check
    texts = make_texts()
    stale_files = list(stale(texts))
    for path in stale_files:
        if not check:
            path.write_text(texts[path], encoding="utf-8")
        sys.stdout.write(f"{complaint(path) if check else f'{path.relative_to(PROJECT)} written'}\n")
    return 1 if check and stale_files else 0


def main() -> int:
    """Write the templates and the tables of settings in the documentation, or compare them with what they should be."""
    return write_or_compare(
        "infra.console", main.__doc__, lambda: written_from({file: stack_of(file) for file in TEMPLATES})
    )
