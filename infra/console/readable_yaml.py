"""A synthesised template as YAML that a person reads from top to bottom."""

from __future__ import annotations

import json
import re
from typing import Any

import yaml

ORDER = (
    "AWSTemplateFormatVersion",
    "Description",
    "Metadata",
    "Parameters",
    "Mappings",
    "Conditions",
    "Resources",
    "Outputs",
)
DOCUMENT_WIDTH = 300
LINE_WIDTH = 120
RESOURCE_ORDER = ("Type", "Condition", "DependsOn", "DeletionPolicy", "UpdateReplacePolicy", "Properties")


def as_yaml(template: dict[str, Any], titles: dict[str, str]) -> str:
    """The template in AWS's usual order, with short intrinsics, literal blocks, and a title above each part.

    Args:
        template: as the CDK synthesised it.
        titles: by the logical id of the first resource of a part.
    """
    by_name = {name: _resource(body) for name, body in template["Resources"].items()}
    template = template | {"Resources": by_name}
    text = yaml.dump(
        {key: _short(template[key]) for key in ORDER if key in template},
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=LINE_WIDTH + 10,
    )
    text = re.sub(r"(!\w+) '([\w.:]+)'", r"\1 \2", text)  # `!Ref Name` needs no quotes
    for section in ORDER[2:]:
        text = text.replace(f"\n{section}:\n", f"\n\n{section}:\n")
    before, start, rest = text.partition("\nResources:\n")
    resources, end, after = rest.partition("\nOutputs:\n")
    spaced = re.sub(r"^  (\w+):$", lambda match: _spaced(match, titles), resources, flags=re.MULTILINE)
    return before + start + spaced.removeprefix("\n") + end + after


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
        case [("Fn::Join", [str() as separator, [str() as first, *_] as parts])] if re.search(r"\n|^{", first):
            more: dict[str, Any] = {}  # a script, or a document
            text = _substitution(separator, parts, more)
            short = _Tagged("!Sub", [text, _short(more)]) if text else _Tagged("!Join", _short([separator, parts]))
        case [(function, arguments)] if function.startswith("Fn::"):
            inner = _short(arguments)  # YAML takes one tag, so a function of a function keeps its long name
            tagged = _Tagged(f"!{function.removeprefix('Fn::')}", inner)
            short = {function: inner} if isinstance(inner, _Tagged) else tagged
        case items:
            short = {key: _short(value) for key, value in items}
    return short


def _substitution(separator: str, parts: Any, more: dict[str, Any] | None = None) -> str | None:
    """The text of `!Sub` that a `Fn::Join` amounts to; None if it joins more than text and references.

    Where `more` is given, values of mappings and choices may be among them, and are added to it under a name.
    """
    texts = []
    for part in parts if isinstance(parts, list) else [{}]:
        match part:
            case str():
                texts.append(part.replace("${", "${!"))
            case {"Ref": name}:
                texts.append(f"${{{name}}}")
            case {"Fn::GetAtt": [name, attribute]}:
                texts.append(f"${{{name}.{attribute}}}")
            case {"Fn::FindInMap": [_, _, str() as name]} if more is not None:
                texts.append(f"${{{name}}}")
                more[name] = part
            case {"Fn::If": [_, *choices]} if more is not None and (name := _either(choices)):
                texts.append(f"${{{name}}}")
                more[name] = part
            case _:
                return None
    text = separator.join(texts)
    try:
        return _document(json.loads(text))  # a document inside the template: a dashboard
    except json.JSONDecodeError:
        return text


def _either(choices: list[Any]) -> str:
    """A name for a choice: `InstanceOrGroup` where each is a word or refers to one, else nothing."""
    words = [choice.get("Ref") if isinstance(choice, dict) else choice for choice in choices]
    name = "Or".join(map(str, words))
    return name if name.isalnum() and None not in words else ""


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
    """Literal blocks for texts of several lines, short functions, indented lists, no anchors.

    What holds a few short values stands on one line: `{Type: VCPU, Value: !Ref JobVcpus}`.
    """

    def represent_sequence(self, tag: str, sequence: Any, flow_style: bool | None = None) -> yaml.SequenceNode:
        node = super().represent_sequence(tag, sequence, flow_style=False)
        node.flow_style = flow_style or _fits(node.value) or _are_words(node.value)
        return node

    def represent_mapping(self, tag: str, mapping: Any, flow_style: bool | None = None) -> yaml.MappingNode:
        node = super().represent_mapping(tag, mapping, flow_style=False)
        is_resource = any(value.value.startswith("AWS::") for key, value in node.value if key.value == "Type")
        node.flow_style = flow_style or (not is_resource and _fits([part for pair in node.value for part in pair]))
        for key, value in node.value:  # a name and what stands behind it share the line
            if isinstance(value, yaml.MappingNode) and (key.value in ORDER or not _fits([key, value])):
                value.flow_style = False
        return node

    def ignore_aliases(self, _data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002 - PyYAML's name
        super().increase_indent(flow, indentless=False)


def _fits(parts: list[yaml.Node]) -> bool:
    """Whether these stand well on one line: plain values or what stands on a line itself, and not much of them."""
    return sum(_length(part) for part in parts) <= LINE_WIDTH


def _are_words(parts: list[yaml.Node]) -> bool:
    """Whether these are a command's words, which may take two lines."""
    return sum(_length(part) for part in parts) <= 2 * LINE_WIDTH and max(map(_length, parts)) <= LINE_WIDTH // 3


def _length(node: yaml.Node) -> int:
    """How long a node is on one line, roughly; endless where it must not stand on one."""
    if isinstance(node, yaml.ScalarNode):
        return len(node.value) + 4 if "\n" not in node.value else LINE_WIDTH + 1
    if not isinstance(node, yaml.CollectionNode) or not node.flow_style:
        return LINE_WIDTH + 1
    parts = node.value if isinstance(node, yaml.SequenceNode) else [part for pair in node.value for part in pair]
    return 2 + sum(_length(part) for part in parts)


def _style(text: str) -> str | None:
    return "|" if "\n" in text else None


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=_style(text))


def _tagged(dumper: yaml.SafeDumper, node: _Tagged) -> yaml.Node:
    match node.value:
        case str():
            return dumper.represent_scalar(node.tag, node.value, style=_style(node.value))
        case list():
            return dumper.represent_sequence(node.tag, node.value)
        case _:
            return dumper.represent_mapping(node.tag, node.value)


_Dumper.add_representer(_Tagged, _tagged)
_Dumper.add_representer(str, _text)
