"""The texts of errors as the source has them: what is raised, how it is mended, and the problems it lists."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

import hotbay.errors

ROOT = Path(__file__).parents[2]
# Errors that other rooms derive from ours.
DERIVED = {"CrossSite", "TooLarge", "TooMany", "GuardDenied"}
CLASSES = {name for name, one in vars(hotbay.errors).items() if isinstance(one, type)} | DERIVED
# Where else somebody is told something, by the places of the texts among the arguments.
PLACES = {"Problem": (1, 4), "refusal": (1, 2), "note_refusal": (2,), "_refuse": (2,), "_refuse_form": (1,)}
_MOST = 40


def said_in(file: Path) -> Iterator[tuple[str, str]]:
    """Where a text is said, and the text; `{}` stands for what is only known when it is said."""
    tree = ast.parse(file.read_text())
    for scope in [tree, *(node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))]:
        for node in _own(scope):
            for one in _texts(node):
                for text in _Said(tree, scope).forms(one):
                    yield f"{file.relative_to(ROOT)}:{one.lineno}", text


def _own(scope: ast.AST) -> Iterator[ast.AST]:
    """What is in a function, but not in functions inside of it."""
    for child in ast.iter_child_nodes(scope):
        yield child
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _own(child)


def _texts(node: ast.AST) -> Iterator[ast.expr]:
    """The parts of a call, or of a problem document, that somebody is shown."""
    if isinstance(node, ast.Dict):
        shown = ("detail", "mend")
        yield from (
            value for key, value in zip(node.keys, node.values, strict=True) if getattr(key, "value", "") in shown
        )
    elif isinstance(node, ast.Call):
        yield from _arguments(node)


def _arguments(call: ast.Call) -> Iterator[ast.expr]:
    name = getattr(call.func, "id", getattr(call.func, "attr", ""))
    for place in PLACES.get(name, (0,) if name in CLASSES else ()):
        yield from itertools.islice(call.args, place, place + 1)
    yield from (keyword.value for keyword in call.keywords if keyword.arg in ("mend", "rule"))


class _Said:
    """What an expression may be, as far as the module itself says it."""

    def __init__(self, tree: ast.Module, scope: ast.AST, busy: frozenset[str] = frozenset()) -> None:
        self.tree = tree
        self.scope = scope
        self.busy = busy

    def forms(self, node: ast.expr | None) -> list[str]:
        """All texts that an expression may be; none when it is made elsewhere."""
        match node:
            case ast.Constant(value=str(text)):
                return [text] if text else []
            case ast.JoinedStr(values=parts):
                return self._together(parts)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return self._together([left, right])
            case ast.IfExp(body=one, orelse=other):
                return self._any([one, other])
            case ast.BoolOp(values=parts) | ast.Dict(values=parts):
                return self._any(parts)
            case ast.Name(id=name):
                return self._named(name)
            case ast.Subscript(value=base, slice=ast.Constant(value=int(place))):
                return self._any([one.elts[place] for one in self._tuples(base)])
            case ast.Subscript(value=base):
                return self.forms(base)
            case ast.Call(func=ast.Attribute(attr="get"), args=[_, default]):
                return self.forms(default)
            case ast.Call(func=ast.Attribute(value=base, attr="rstrip" | "strip")):
                return self.forms(base)
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(value=ast.Name(id="self"), attr=name)):
                return self._returned(name)
        return []

    def _any(self, several: Iterable[ast.expr]) -> list[str]:
        return [text for one in several for text in self.forms(one)]

    def _together(self, parts: list[ast.expr]) -> list[str]:
        several = [self._part(part) for part in parts]
        return ["".join(one) for one in itertools.islice(itertools.product(*several), _MOST)]

    def _part(self, part: ast.expr) -> list[str]:
        inner = part.value if isinstance(part, ast.FormattedValue) else part
        if isinstance(inner, ast.Constant):
            return [str(inner.value)]
        if isinstance(inner, ast.IfExp) and self.forms(inner):
            return [text for one in (inner.body, inner.orelse) for text in self._part(one)]
        return self.forms(inner) or ["{}"]

    def _named(self, name: str) -> list[str]:
        if name in self.busy:
            return []
        return _Said(self.tree, self.scope, self.busy | {name})._any(self._values(name))

    def _values(self, name: str) -> list[ast.expr]:
        """What is assigned to a name in the function, else in the module."""
        for scope in (self.scope, self.tree):
            found = [value for node in ast.walk(scope) for value in _assigned(node, name)]
            if found:
                return found
        return []

    def _tuples(self, node: ast.expr) -> list[ast.Tuple]:
        match node:
            case ast.Tuple():
                return [node]
            case ast.Name(id=name):
                return [one for value in self._values(name) for one in self._tuples(value)]
            case ast.Dict(values=values):
                return [one for value in values for one in self._tuples(value)]
            case ast.Subscript(value=base):
                return self._tuples(base)
        return []

    def _returned(self, name: str) -> list[str]:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef) and node.name == name and f"{name}()" not in self.busy:
                values = [one.value for one in ast.walk(node) if isinstance(one, ast.Return) and one.value is not None]
                return _Said(self.tree, node, self.busy | {f"{name}()"})._any(values)
        return []


def _assigned(node: ast.AST, name: str) -> Iterator[ast.expr]:
    if isinstance(node, ast.NamedExpr) and node.target.id == name:
        yield node.value
    if isinstance(node, ast.Assign):
        for target in node.targets:
            if getattr(target, "id", "") == name:
                yield node.value
            for place, one in enumerate(target.elts if isinstance(target, ast.Tuple) else ()):
                if getattr(one, "id", "") == name:
                    yield ast.Subscript(node.value, ast.Constant(place))
