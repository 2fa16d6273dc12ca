"""What code asks pytest for while it runs: fixtures by name, names of the claim's module, values of markers.

What ``request.getfixturevalue("net")``, ``request.module.SIZE`` and ``request.node.get_closest_marker("size").args`` stand for
no name in the source shows.  The words are read here; what is computed stands for all that it may be.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

Names = frozenset[str | None]

_MODULE = frozenset({"module", "obj"})  # of a request, of the node of a claim, and of the nodes above it
_ALL_MARKERS = frozenset({"own_markers", "keywords"})
_MARKERS = frozenset({"get_closest_marker", "iter_markers", "iter_markers_with_node"})
_FIXTURES = frozenset({"getfixturevalue"})
_OF_PYTEST = frozenset({"request", "node"})  # what a computed attribute is followed of


@dataclass(frozen=True)
class Requested:
    """Names that are asked for; None among them stands for all: the name is computed.

    Attributes:
        fixtures: names of fixtures.
        module: names that are read off the claim's module.
        markers: names of markers.
    """

    fixtures: Names = frozenset()
    module: Names = frozenset()
    markers: Names = frozenset()

    def __or__(self, other: Requested) -> Requested:
        """What either asks for."""
        return Requested(self.fixtures | other.fixtures, self.module | other.module, self.markers | other.markers)


def requested(nodes: Iterable[ast.AST]) -> Requested:
    """What some code asks for, given all nodes of its syntax tree."""
    nodes = list(nodes)
    further = {id(base): name for name, base, _ in map(_read, nodes) if base is not None}
    given = {id(node.func): _first(node) for node in nodes if isinstance(node, ast.Call)}
    fixtures, module, markers = set[str | None](), set[str | None](), set[str | None]()
    for name, base, node in map(_read, nodes):
        if base is None:
            continue
        if name in _FIXTURES or name is None:
            fixtures.add(given.get(id(node)))
        if name in _MODULE or name is None:
            module.add(further.get(id(node)))
        if name in _MARKERS or name in _ALL_MARKERS or name is None:
            markers.add(given.get(id(node)) if name in _MARKERS else None)
    return Requested(frozenset(fixtures), frozenset(module), frozenset(markers))


def _read(node: ast.AST) -> tuple[str | None, ast.expr | None, ast.AST]:
    """(name, of what, the expression itself) where an attribute is read; of nothing where none is."""
    if isinstance(node, ast.Attribute):
        return node.attr, node.value, node
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "getattr" and len(node.args) > 1:
        base, name = node.args[:2]
        if isinstance(name, ast.Constant) and isinstance(name.value, str):
            return name.value, base, node
        if set(_names(base)) & (_OF_PYTEST | _MODULE):
            return None, base, node
    return "", None, node


def _names(base: ast.expr) -> Iterator[str]:
    """The last name of an expression."""
    if isinstance(base, ast.Name | ast.Attribute):
        yield base.id if isinstance(base, ast.Name) else base.attr


def _first(call: ast.Call) -> str | None:
    """The text that a call is given first, or as its name; None where it is computed, or where there is none."""
    named = (each.value for each in call.keywords if each.arg in ("argname", "name"))
    given = call.args[0] if call.args else next(named, None)
    return given.value if isinstance(given, ast.Constant) and isinstance(given.value, str) else None
