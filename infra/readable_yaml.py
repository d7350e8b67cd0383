"""A synthesised template as YAML that a person reads from top to bottom."""

import json
import re
from typing import Any

import yaml

ORDER = ("AWSTemplateFormatVersion", "Description", "Metadata", "Parameters", "Conditions", "Resources", "Outputs")
DOCUMENT_WIDTH = 100
RESOURCE_ORDER = ("Type", "Condition", "DependsOn", "DeletionPolicy", "UpdateReplacePolicy", "Properties")


def as_yaml(template: dict[str, Any], titles: dict[str, str]) -> str:
    """The template in AWS's usual order, with short intrinsics, literal blocks, and a title above each part.

    Args:
        template: as the CDK synthesised it.
        titles: by the logical id of the first resource of a part.
    """
    resources = {name: _resource(body) for name, body in template["Resources"].items()}
    template = template | {"Resources": resources}
    text = yaml.dump(
        {key: _short(template[key]) for key in ORDER if key in template},
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=116,
    )
    text = re.sub(r"(!\w+) '([\w.:]+)'", r"\1 \2", text)  # `!Ref Name` needs no quotes
    for section in ORDER[2:]:
        text = text.replace(f"\n{section}:\n", f"\n\n{section}:\n")
    body = text.index("\nResources:\n")
    return text[:body] + re.sub(
        r"^  (\w+):$", lambda match: _spaced(match, titles), text[body:], flags=re.MULTILINE
    ).replace("Resources:\n\n", "Resources:\n").replace("Outputs:\n\n", "Outputs:\n")


def _spaced(match: re.Match[str], titles: dict[str, str]) -> str:
    title = titles.get(match[1])
    return (f"\n  # {title}\n" if title else "") + f"\n{match[0]}"


def _resource(body: dict[str, Any]) -> dict[str, Any]:
    """A resource in reading order, without the dependencies that its references say already."""
    if "DependsOn" in body:
        wanted = body["DependsOn"]
        referred = set(re.findall(r'"(?:Ref|Fn::GetAtt)": \[?"(\w+)"', json.dumps(body.get("Properties", {}))))
        rest = [name for name in ([wanted] if isinstance(wanted, str) else wanted) if name not in referred]
        body = {key: value for key, value in body.items() if key != "DependsOn"} | ({"DependsOn": rest} if rest else {})
    return {key: body[key] for key in RESOURCE_ORDER if key in body} | body


class _Tagged:
    """A CloudFormation function in its short form, such as `!Ref`."""

    def __init__(self, tag: str, value: Any) -> None:
        self.tag, self.value = tag, value


def _short(node: Any) -> Any:
    if isinstance(node, list):
        return [_short(item) for item in node]
    if not isinstance(node, dict):
        return node
    match list(node.items()):
        case [("Ref", name)]:
            short: Any = _Tagged("!Ref", name)
        case [("Fn::GetAtt", path)]:
            short = _Tagged("!GetAtt", ".".join(path))
        case [("Fn::Join", parts)] if (text := _substitution(*parts)) is not None:
            short = _Tagged("!Sub", text)
        case [(function, arguments)] if function.startswith("Fn::"):
            short = _Tagged(f"!{function.removeprefix('Fn::')}", _short(arguments))
        case items:
            short = {key: _short(value) for key, value in items}
    return short


def _substitution(separator: str, parts: Any) -> str | None:
    """The text of `!Sub` that a `Fn::Join` amounts to; None if it joins more than text and references."""
    texts = []
    for part in parts if isinstance(parts, list) else [{}]:
        match part:
            case str():
                texts.append(part.replace("${", "${!"))
            case {"Ref": name}:
                texts.append(f"${{{name}}}")
            case {"Fn::GetAtt": [name, attribute]}:
                texts.append(f"${{{name}.{attribute}}}")
            case _:
                return None
    text = separator.join(texts)
    try:
        return _document(json.loads(text))  # a document inside the template: a dashboard
    except json.JSONDecodeError:
        return text


def _document(node: Any, indent: str = "") -> str:
    """JSON in which whatever fits on a line stands on one."""
    line = json.dumps(node)
    if len(indent) + len(line) <= DOCUMENT_WIDTH or not isinstance(node, dict | list):
        return line
    deeper = indent + "  "
    if isinstance(node, dict):
        parts = [f"{json.dumps(key)}: {_document(value, deeper)}" for key, value in node.items()]
        start, end = "{", "}"
    else:
        parts, start, end = [_document(value, deeper) for value in node], "[", "]"
    return f"{start}\n{deeper}" + f",\n{deeper}".join(parts) + f"\n{indent}{end}"


class _Dumper(yaml.SafeDumper):
    """Literal blocks for texts of several lines, short functions, indented lists, no anchors."""

    def ignore_aliases(self, _data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002 (PyYAML's name)
        super().increase_indent(flow, indentless=False)


def _style(text: str) -> str | None:
    return "|" if "\n" in text else None


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=_style(text))


def _tagged(dumper: yaml.SafeDumper, node: _Tagged) -> yaml.Node:
    match node.value:
        case str():
            return dumper.represent_scalar(node.tag, node.value, style=_style(node.value))
        case list():
            return dumper.represent_sequence(node.tag, node.value, flow_style=True)
        case _:
            return dumper.represent_mapping(node.tag, node.value)


_Dumper.add_representer(_Tagged, _tagged)
_Dumper.add_representer(str, _text)
