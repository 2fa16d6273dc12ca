"""What a counterexample's text shows, made once more, so that a figure can mark where it lies."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from typing import Any


def revived(counterexample: str, *makers: Callable[..., Any]) -> Any:
    """The value that a counterexample's text shows, made once more: a figure can mark where it lies.

    Args:
        counterexample: as :func:`harness.falsify` writes it, the value's ``repr`` and perhaps what was asserted of it.
        makers: classes or functions that the text may name; nothing else in it is called.

    Raises:
        ValueError: the text begins with no expression of calls to these, tuples, lists, dictionaries and constants.
    """
    known = {maker.__name__: maker for maker in makers}
    ends = [match.start() for match in re.finditer(": ", counterexample)]
    for end in (*ends, len(counterexample)):
        try:
            tree = ast.parse(counterexample[:end].strip(), mode="eval")
        except (SyntaxError, ValueError):
            continue
        return _made(tree.body, known)
    raise ValueError(f"{counterexample[:60]!r} begins with no value; give what falsify found, whose value shows how it is made")


def _made(node: ast.expr, known: Mapping[str, Callable[..., Any]]) -> Any:
    """The value of an expression, of which only what is known may be called."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in known:
        named = {str(each.arg): _made(each.value, known) for each in node.keywords if each.arg is not None}
        return known[node.func.id](*(_made(each, known) for each in node.args), **named)
    if isinstance(node, ast.Tuple):
        return tuple(_made(each, known) for each in node.elts)
    if isinstance(node, ast.List):
        return [_made(each, known) for each in node.elts]
    if isinstance(node, ast.Dict):
        keys = [key for key in node.keys if key is not None]
        return {_made(key, known): _made(value, known) for key, value in zip(keys, node.values, strict=True)}
    try:
        return ast.literal_eval(node)
    except ValueError:
        given = ", ".join(known) or "none"
        raise ValueError(f"{ast.unparse(node)[:60]} is no constant and no call of what may be called ({given})") from None
