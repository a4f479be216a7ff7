"""Which refusals the code can make, read from its source: reasons, and the places where each is made."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from estamp import errors as estamp_errors
from gateway.faults import Place

ROOT = Path(__file__).resolve().parents[2]

BOTH = frozenset({Place.CONSUMER, Place.PROVIDER})
"""Where a refusal is made that names no place of its own: both gateways run that code."""

OF_ESTAMP = frozenset(
    name
    for name, each in vars(estamp_errors).items()
    if isinstance(each, type) and issubclass(each, estamp_errors.EstampError)
)


@dataclass(frozen=True, slots=True)
class Raised:
    """One place in the source where a refusal with this reason is made."""

    reason: str
    where: str
    places: frozenset[Place]


def raised_by_estamp() -> list[Raised]:
    """Every EstampError of estamp/: what a verdict may name, and more."""
    found = []
    for name, tree in _modules("estamp"):
        for call in _calls(tree, OF_ESTAMP):
            found += [Raised(reason, _at(name, call), BOTH) for reason in _first_argument(call)]
        # A function that is told the reason has it as a default, or is given it by its callers.
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                wanted = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
                found += [
                    Raised(reason, _at(name, node), BOTH)
                    for argument, default in wanted
                    if argument.arg == "reason" and default is not None
                    for reason in _texts(default)
                ]
            if isinstance(node, ast.keyword) and node.arg == "reason":
                found += [Raised(reason, _at(name, node.value), BOTH) for reason in _texts(node.value)]
    return found


def raised_by_stamping() -> list[Raised]:
    """Every StampingError of service_runtime/; the provider's gateway tells all of them as answer-not-stamped."""
    return [
        Raised(reason, _at(name, call), frozenset({Place.CONSUMER}))
        for name, tree in _modules("service_runtime")
        for call in _calls(tree, frozenset({"StampingError"}))
        for reason in _first_argument(call)
    ]


def raised_by_gateway() -> list[Raised]:
    """Every Fault of gateway/ whose reason stands in the source."""
    found = []
    for name, tree in _modules("gateway"):
        makers = frozenset({"Fault", "cls"}) if name == "gateway/faults.py" else frozenset({"Fault"})
        for call in _calls(tree, makers):
            found += [Raised(reason, _at(name, call), _places(call, tree)) for reason in _first_argument(call)]
        for node in ast.walk(tree):
            if isinstance(node, ast.keyword) and node.arg == "too_large":
                here = _constant(tree, "_HERE")
                found += [Raised(reason, _at(name, node.value), here) for reason in _texts(node.value)]
    return found


def _modules(package: str) -> Iterator[tuple[str, ast.Module]]:
    for path in sorted((ROOT / package).rglob("*.py")):
        yield str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))


def _calls(tree: ast.AST, names: frozenset[str]) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
            yield node


def _first_argument(call: ast.Call) -> list[str]:
    return _texts(call.args[0]) if call.args else []


def _texts(node: ast.expr) -> list[str]:
    if isinstance(node, ast.IfExp):
        return _texts(node.body) + _texts(node.orelse)
    return [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []


def _at(name: str, node: ast.expr | ast.FunctionDef) -> str:
    return f"{name}:{node.lineno}"


def _places(call: ast.Call, tree: ast.Module) -> frozenset[Place]:
    given = call.args[2] if len(call.args) > 2 else None
    if isinstance(given, ast.Attribute):
        return frozenset({Place[given.attr]})
    if isinstance(given, ast.Name) and given.id != "place":
        return _constant(tree, given.id)
    return BOTH


def _constant(tree: ast.Module, name: str) -> frozenset[Place]:
    for node in tree.body:
        if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Attribute):
            continue
        if any(isinstance(target, ast.Name) and target.id == name for target in node.targets):
            return frozenset({Place[node.value.attr]})
    return BOTH
