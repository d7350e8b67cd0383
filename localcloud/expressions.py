"""Boolean expressions: terms joined by and, or, not and parentheses."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

Fact = TypeVar("Fact")
Test = Callable[[Fact], bool]


class ExpressionError(ValueError):
    """The text is not such an expression."""


@dataclass
class Grammar(Generic[Fact]):
    """How an expression is written.

    Attributes:
        term: What a term looks like, a regular expression.
        read: Makes the test of a term.
        words: How "and", "or" and "not" are written.
    """

    term: str
    read: Callable[[str], Test[Fact]]
    words: tuple[str, str, str]

    def parse(self, text: str) -> Test[Fact]:
        """The test that ``text`` describes.

        Raises:
            ExpressionError: It is not an expression of this grammar.
        """
        both, either, no = map(re.escape, self.words)
        pattern = re.compile(rf"\s*(\(|\)|{both}|{either}|{no}(?=[\s(])|{self.term})")
        tokens, position = [], 0
        while text[position:].strip():
            found = pattern.match(text, position)
            if not found:
                raise ExpressionError(f"cannot read {text[position:].strip()!r} in {text!r}")
            tokens.append(found[1])
            position = found.end()
        test = self._either(tokens)
        if tokens:
            raise ExpressionError(f"unexpected {tokens[0]!r} in {text!r}")
        return test

    def _either(self, tokens: list[str]) -> Test[Fact]:
        tests = [self._both(tokens)]
        while tokens[:1] == [self.words[1]]:
            tokens.pop(0)
            tests.append(self._both(tokens))
        return lambda fact: any(test(fact) for test in tests)

    def _both(self, tokens: list[str]) -> Test[Fact]:
        tests = [self._one(tokens)]
        while tokens[:1] == [self.words[0]]:
            tokens.pop(0)
            tests.append(self._one(tokens))
        return lambda fact: all(test(fact) for test in tests)

    def _one(self, tokens: list[str]) -> Test[Fact]:
        if not tokens or tokens[0] in (")", *self.words[:2]):
            raise ExpressionError("a term is missing")
        first = tokens.pop(0)
        if first == self.words[2]:
            test = self._one(tokens)
            return lambda fact: not test(fact)
        if first != "(":
            return self.read(first)
        inner = self._either(tokens)
        if tokens[:1] != [")"]:
            raise ExpressionError("a parenthesis is not closed")
        tokens.pop(0)
        return inner
