"""Metric math: arithmetic, comparisons, FILL, IF, MIN, MAX, SUM, AVG and ABS.

Functions: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
"""

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

OPERATORS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "FILL": lambda value, other: other if value is None else value,
    "IF": lambda test, yes, no=None: yes if test else no,
    "ABS": abs,
    "MAX": max,
    "MIN": min,
    "SUM": sum,
    "AVG": lambda values: sum(values) / len(values),
}


def calculate(expression: str, values: Mapping[str, float | None]) -> float | None:
    """The value of an expression over metrics' values by their ids; None where data is missing.

    Raises:
        ValueError: The expression uses something that the local cloud does not know.
    """
    try:
        result = _value(ast.parse(expression.strip().replace("^", "**"), mode="eval").body, values)
    except (TypeError, ZeroDivisionError):  # arithmetic with what is missing
        return None
    return None if result is None else float(result)


def _value(node: ast.expr, values: Mapping[str, float | None]) -> Any:  # noqa: PLR0911 (one for each kind of node)
    match node:
        case ast.Constant(value=int() | float() as number):
            return number
        case ast.Name(id=name) if name in values:
            return values[name]
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in OPERATORS:
            return OPERATORS[type(sign)](_value(left, values), _value(right, values))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, values)
        case ast.Compare(left=left, ops=[sign], comparators=[right]) if type(sign) in OPERATORS:
            return float(OPERATORS[type(sign)](_value(left, values), _value(right, values)))
        case ast.List(elts=items):
            return [_value(item, values) for item in items]
        case ast.Call(func=ast.Name(id=name), args=arguments) if name.upper() in FUNCTIONS:
            return FUNCTIONS[name.upper()](*(_value(argument, values) for argument in arguments))
        case _:
            raise ValueError(f"metric math: the local cloud does not know {ast.unparse(node)!r}")
