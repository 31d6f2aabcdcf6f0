"""Which object of a file is meant where the file alone is named: the largest model that no other of its models uses.

Classes that are built as they are asked for, instances, and functions that return a model are candidates. Two that are
equally plausible (neither is twice as large as the other) are a question to the user, never a guess.
"""

import ast
import inspect
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from archscope.core.errors import ArchscopeError, TargetError
from archscope.core.units import format_exact
from archscope.modules import iterate_parameters
from archscope.targets.constructor import check_call
from archscope.targets.objects import Home, is_module_class, keep_seed, list_models, list_public

DOMINANCE = 2
"""How many times the parameters of the next one the largest has to have to be the one that is meant."""

LONGEST_LIST = 12


@dataclass(frozen=True, slots=True)
class _Candidate:
    """One object that could be meant."""

    name: str
    value: Any
    reaches: frozenset[str]
    """Names of the file that its definition leads to."""
    params: int | None
    """None where it cannot be built with the arguments given."""

    @property
    def kind(self) -> str:
        """As an error lists it."""
        if isinstance(self.value, nn.Module):
            return "an instance"
        return "" if isinstance(self.value, type) else "a function"

    def describe(self, text: str) -> str:
        """`net.py:Net (1,234 parameters)`."""
        size = "needs arguments" if self.params is None else f"{format_exact(self.params)} parameters"
        return f"{text}:{self.name} ({', '.join(word for word in (self.kind, size) if word)})"


def choose_object(home: Home, trees: Iterable[ast.Module], text: str, arguments: Mapping[str, Any]) -> tuple[str, str]:
    """The name of the object that is meant, and a note that says why.

    `trees` are the sources that made `home`. Raises TargetError where none is, or where two are equally plausible.
    """
    uses = _read_uses(trees)
    candidates = _list_candidates(home, uses, arguments)
    if not candidates:
        raise TargetError(
            f"{text} names a file, not a model, and it defines no torch.nn.Module",
            f"write {text}:NAME, a torch.nn.Module class, an instance of one, or a function that returns one",
        )
    plausible = _drop_parts(candidates)
    ready = sorted((item for item in plausible if item.params), key=lambda item: -(item.params or 0))
    chosen = ready or plausible
    if len(chosen) > 1 and not (ready and _stands_out(ready)):
        others = [item for item in candidates if item not in chosen]
        listed = [item.describe(text) for item in (*chosen, *others)][:LONGEST_LIST]
        raise TargetError(
            f"{text} names a file, not a model: it holds several that are equally plausible",
            "write one of them:\n" + "\n".join(listed),
        )
    rest = [item.name for item in candidates if item is not chosen[0]]
    why = f" (it also holds {', '.join(rest[:LONGEST_LIST])})" if rest else ""
    return chosen[0].name, f"took {chosen[0].name}, the model of {home.text}{why}"


def _stands_out(ready: list[_Candidate]) -> bool:
    first, second = ready[0].params or 0, ready[1].params or 0
    siblings = [item for item in ready if item.kind == "a function"]
    return first >= DOMINANCE * second and not (ready[0] in siblings and len(siblings) > 1)


def _drop_parts(candidates: list[_Candidate]) -> list[_Candidate]:
    """Those that no other one is made of; all where each is part of another."""
    return [item for item in candidates if not any(_covers(other, item) for other in candidates)] or candidates


def _covers(other: _Candidate, item: _Candidate) -> bool:
    """Whether `item` needs no mention beside `other`."""
    if other is item:
        return False
    if item.kind == "a function":  # it only wraps a class that can be built without it
        return not other.kind and other.params is not None and other.name in item.reaches
    if isinstance(item.value, nn.Module) and type(item.value) is other.value:
        return item.params == other.params
    if item.name not in other.reaches:
        return False
    if isinstance(other.value, nn.Module) and type(other.value) is item.value:
        return item.params is None
    return bool(other.kind != "a function" or item.params is None)


def _list_candidates(home: Home, uses: Mapping[str, set[str]], arguments: Mapping[str, Any]) -> list[_Candidate]:
    module = home.module
    names = [name for name in list_models(module) if not (arguments and isinstance(getattr(module, name), nn.Module))]
    seen: set[int] = set()
    found: list[_Candidate] = []
    for name in (*names, *_list_makers(module, uses)):
        value = getattr(module, name)
        if id(value) not in seen:
            seen.add(id(value))
            found.append(_Candidate(name, value, _reach(name, uses), _measure(home, value, arguments)))
    return found


def _measure(home: Home, value: Any, arguments: Mapping[str, Any]) -> int | None:
    """Parameters of what it makes; None where it makes nothing with these arguments."""
    if isinstance(value, nn.Module):
        return _count(value)
    try:
        check_call(value, arguments, "")
    except ArchscopeError:
        return None
    made: object = None
    for device in ("meta", "cpu"):  # some constructors read values, which meta tensors do not have
        # What it raises is told where it is chosen and built.
        with suppress(Exception, SystemExit), home.enter(), keep_seed(), torch.device(device):
            made = value(**arguments)
            break
    return _count(made) if isinstance(made, nn.Module) else None


def _count(module: nn.Module) -> int:
    lazy = torch.nn.parameter.UninitializedParameter
    return sum(0 if isinstance(item, lazy) else item.numel() for item in iterate_parameters(module))


def _reach(name: str, uses: Mapping[str, set[str]]) -> frozenset[str]:
    reached: set[str] = set()
    waiting = [name]
    while waiting:
        for used in uses.get(waiting.pop(), ()):
            if used not in reached:
                reached.add(used)
                waiting.append(used)
    return frozenset(reached - {name})


def _read_uses(trees: Iterable[ast.Module]) -> dict[str, set[str]]:
    """By each name that the top level defines: the names in its definition."""
    uses: dict[str, set[str]] = {}
    for statement in _walk_top_level(trees):
        used = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}
        for name in _list_bound(statement):
            uses.setdefault(name, set()).update(used)
    return uses


def _walk_top_level(trees: Iterable[ast.Module]) -> Iterator[ast.stmt]:
    """Statements that run when the file does, those under `if`, `try`, `with` and loops too."""
    for tree in trees:
        waiting: list[ast.stmt] = list(tree.body)
        while waiting:
            statement = waiting.pop(0)
            if isinstance(statement, (ast.If, ast.Try, ast.With, ast.For, ast.While)):
                waiting += [child for child in ast.iter_child_nodes(statement) if isinstance(child, ast.stmt)]
                waiting += [inner for handler in getattr(statement, "handlers", ()) for inner in handler.body]
            else:
                yield statement


def _list_bound(statement: ast.stmt) -> list[str]:
    if isinstance(statement, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
        return [statement.name]
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _list_makers(module: types.ModuleType, uses: Mapping[str, set[str]]) -> list[str]:
    """Functions of the file that return a model, as their annotation or their `return` says."""
    own = {
        name: value
        for name, value in list_public(module)
        if isinstance(value, types.FunctionType) and value.__module__ == module.__name__ and name in uses
    }
    makers: dict[str, Callable[..., Any]] = {}
    grown = True
    while grown:  # a function may return what another one returns
        new = {name: value for name, value in own.items() if name not in makers and _returns_model(value, makers)}
        makers |= new
        grown = bool(new)
    return [name for name in own if name in makers]


def _returns_model(function: types.FunctionType, makers: Mapping[str, Any]) -> bool:
    if _is_model_annotation(function):
        return True
    try:
        tree = ast.parse(inspect.cleandoc("\n" + inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return False
    assigned: dict[str, list[ast.expr]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    assigned.setdefault(target.id, []).append(node.value)
    returned = [node.value for node in ast.walk(tree) if isinstance(node, ast.Return) and node.value is not None]
    values = [
        value for item in returned for value in (assigned.get(item.id, ()) if isinstance(item, ast.Name) else (item,))
    ]
    return any(_calls_model(value, function.__globals__, makers) for value in values)


def _calls_model(value: ast.expr, names: Mapping[str, Any], makers: Mapping[str, Any]) -> bool:
    if not isinstance(value, ast.Call):
        return False
    first, *rest = ast.unparse(value.func).split(".")
    if first in makers and not rest:
        return True
    called: Any = names.get(first)
    for part in rest:
        called = getattr(called, part, None)
    return is_module_class(called) or (isinstance(called, types.FunctionType) and _is_model_annotation(called))


def _is_model_annotation(function: types.FunctionType) -> bool:
    annotation = function.__annotations__.get("return")
    if isinstance(annotation, str):
        annotation = function.__globals__.get(annotation, nn.Module if annotation.endswith("nn.Module") else None)
    return is_module_class(annotation)
