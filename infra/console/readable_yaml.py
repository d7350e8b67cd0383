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
    "Rules",
    "Mappings",
    "Conditions",
    "Resources",
    "Outputs",
)
DOCUMENT_WIDTH = 300
LINE_WIDTH = 120
RESOURCE_ORDER = ("Type", "Condition", "DependsOn", "DeletionPolicy", "UpdateReplacePolicy", "Properties")


def as_yaml(template: dict[str, Any], titles: dict[str, str]) -> str:
    """Return a template in AWS's usual order, with short intrinsics, literal blocks, and a title above each group.

    Args:
        template: The template that the CDK synthesised.
        titles: The titles of groups, by the logical id of the first resource of each.
    """
    by_name = {name: _resource(body) for name, body in template["Resources"].items()}
    template = template | {"Resources": by_name}
    text = yaml.dump(
        # The functions of rules have no short form.
        {key: template[key] if key == "Rules" else _short(template[key]) for key in ORDER if key in template},
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
    """Return a resource in reading order, without the dependencies that its references imply."""
    if "DependsOn" in body:
        dependencies = body["DependsOn"]
        names = [dependencies] if isinstance(dependencies, str) else dependencies
        referred = set(re.findall(r'"(?:Ref|Fn::GetAtt)": \[?"(\w+)"', json.dumps(body.get("Properties", {}))))
        unreferenced = [name for name in names if name not in referred]
        body = {key: value for key, value in body.items() if key != "DependsOn"}
        body |= {"DependsOn": unreferenced} if unreferenced else {}
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
            variables: dict[str, Any] = {}  # a script, or a document
            text = _substitution(separator, parts, variables)
            short = _Tagged("!Sub", [text, _short(variables)]) if text else _Tagged("!Join", _short([separator, parts]))
        case [(function, arguments)] if function.startswith("Fn::"):
            inner = _short(arguments)  # YAML takes one tag, so a function of a function keeps its long name
            tagged = _Tagged(f"!{function.removeprefix('Fn::')}", inner)
            short = {function: inner} if isinstance(inner, _Tagged) else tagged
        case items:
            short = {key: _short(value) for key, value in items}
    return short


_NUMBER = re.compile(r'(":\s*)(\$\{[\w.]+\})(?=[,}])')


def _substitution(separator: str, values: Any, variables: dict[str, Any] | None = None) -> str | None:
    """Return the text of the `!Sub` that equals a `Fn::Join`, or None if it joins more than text and references.

    With `variables`, the join may also have values of mappings and choices, which are added to `variables` by name.
    """
    texts = []
    for value in values if isinstance(values, list) else [{}]:
        match value:
            case str():
                texts.append(value.replace("${", "${!"))
            case {"Ref": name}:
                texts.append(f"${{{name}}}")
            case {"Fn::GetAtt": [name, attribute]}:
                texts.append(f"${{{name}.{attribute}}}")
            case {"Fn::FindInMap": [_, _, str() as name]} if variables is not None:
                texts.append(f"${{{name}}}")
                variables[name] = value
            case {"Fn::If": [_, *choices]} if variables is not None and (name := _either(choices)):
                texts.append(f"${{{name}}}")
                variables[name] = value
            case _:
                return None
    text = separator.join(texts)
    try:  # a document inside the template: a dashboard, in which the value of a parameter may stand for a number
        document = _document(json.loads(_NUMBER.sub(r'\1"number:\2"', text)))
    except json.JSONDecodeError:
        return text
    return re.sub(r'"number:(\$\{[\w.]+\})"', r"\1", document)


def _either(choices: list[Any]) -> str:
    """Return a name for a choice, such as `InstanceOrGroup`; empty if an option is not a word or reference."""
    words = [choice.get("Ref") if isinstance(choice, dict) else choice for choice in choices]
    name = "Or".join(map(str, words))
    return name if name.isalnum() and None not in words else ""


def _document(node: Any, indent: str = "") -> str:
    """Return JSON in which every value that fits on a line stands on one."""
    line = json.dumps(node)
    if len(indent) + len(line) <= DOCUMENT_WIDTH or not isinstance(node, dict | list):
        return line
    deeper = indent + "  "
    if isinstance(node, dict):
        items = [f"{json.dumps(key)}: {_document(value, deeper)}" for key, value in node.items()]
        start, end = "{", "}"
    else:
        items, start, end = [_document(value, deeper) for value in node], "[", "]"
    return f"{start}\n{deeper}" + f",\n{deeper}".join(items) + f"\n{indent}{end}"


class _Dumper(yaml.SafeDumper):
    """Write texts of several lines as literal blocks, functions in short form, lists indented, and no anchors.

    A mapping or list of a few short values stands on one line: `{Type: VCPU, Value: !Ref JobVcpus}`.
    """

    def represent_sequence(self, tag: str, sequence: Any, flow_style: bool | None = None) -> yaml.SequenceNode:
        node = super().represent_sequence(tag, sequence, flow_style=False)
        node.flow_style = flow_style or _fits(node.value) or _are_words(node.value)
        return node

    def represent_mapping(self, tag: str, mapping: Any, flow_style: bool | None = None) -> yaml.MappingNode:
        node = super().represent_mapping(tag, mapping, flow_style=False)
        is_resource = any(value.value.startswith("AWS::") for key, value in node.value if key.value == "Type")
        node.flow_style = flow_style or (not is_resource and _fits([child for pair in node.value for child in pair]))
        for key, value in node.value:  # a name and what stands behind it share the line
            if isinstance(value, yaml.MappingNode) and (key.value in ORDER or not _fits([key, value])):
                value.flow_style = False
        return node

    def ignore_aliases(self, _data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002 - PyYAML's name
        super().increase_indent(flow, indentless=False)


def _fits(nodes: list[yaml.Node]) -> bool:
    """Return whether nodes fit on one line: they are plain values or stand on one line themselves, and are few."""
    return sum(_length(node) for node in nodes) <= LINE_WIDTH


def _are_words(nodes: list[yaml.Node]) -> bool:
    """Return whether nodes are the words of a command, which may take two lines."""
    return sum(_length(node) for node in nodes) <= 2 * LINE_WIDTH and max(map(_length, nodes)) <= LINE_WIDTH // 3


def _length(node: yaml.Node) -> int:
    """Return roughly how long a node is on one line, or more than a line if it must not stand on one."""
    if isinstance(node, yaml.ScalarNode):
        return len(node.value) + 4 if "\n" not in node.value else LINE_WIDTH + 1
    if not isinstance(node, yaml.CollectionNode) or not node.flow_style:
        return LINE_WIDTH + 1
    children = node.value if isinstance(node, yaml.SequenceNode) else [child for pair in node.value for child in pair]
    return 2 + sum(_length(child) for child in children)


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
