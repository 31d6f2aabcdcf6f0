"""Whether the code of a model names a part of it outside of its constructors. The code is read, never run."""

import types
from collections.abc import Iterable, Iterator

from torch import nn

from archscope.tracing.state import walk_modules

CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict, nn.ParameterList, nn.ParameterDict)
"""What hands on its entries without naming them."""


def list_mentioned(root: nn.Module, paths: Iterable[str]) -> tuple[str, ...]:
    """Those of the `paths`, of parameters, of which code that runs after construction names every step.

    The code is that of the classes on the way: an attribute that none of them names is one that forward cannot reach,
    but for names put together at run time, whose literal beginnings count as names.
    """
    words: dict[type, frozenset[str]] = {}
    parts = dict(walk_modules(root))

    def is_mentioned(path: str) -> bool:
        steps = path.split(".")
        owners = [parts.get(".".join(steps[:end])) for end in range(len(steps))]
        kinds = [type(owner) for owner in owners]
        words.update((kind, _read_words(kind)) for kind in kinds if kind not in words)
        return all(
            isinstance(owner, CONTAINERS) or _is_torchs(type(owner)) or any(_names(words[kind], step) for kind in kinds)
            for owner, step in zip(owners, steps, strict=True)
        )

    return tuple(path for path in paths if is_mentioned(path))


def _names(words: frozenset[str], step: str) -> bool:
    stem = step.rstrip("0123456789")
    return step in words or (stem != step and stem in words)


def _read_words(kind: type) -> frozenset[str]:
    """Names and strings in the methods of the class and its bases, constructors and torch's own classes left out.

    A method that is overridden counts only where what overrides it calls `super`.
    """
    methods: dict[str, set[str]] = {}
    for base in kind.__mro__:
        if _is_torchs(base):
            continue
        for name, member in vars(base).items():
            found = methods.setdefault(name, set())
            if name not in ("__init__", "__new__") and (not found or "super" in found):
                found.update(word for code in _list_codes(member) for word in _read_code(code))
    return frozenset().union(*methods.values())


def _list_codes(member: object) -> Iterator[types.CodeType]:
    """Of a function, whatever decorates it; of a property, its getter."""
    if isinstance(member, (staticmethod, classmethod)):
        member = member.__func__
    if isinstance(member, property):
        member = member.fget
    seen: set[int] = set()
    waiting = [member]
    while waiting:
        function = waiting.pop()
        if type(function) is not types.FunctionType or id(function) in seen:
            continue
        seen.add(id(function))
        yield function.__code__
        for cell in function.__closure__ or ():
            try:
                waiting.append(cell.cell_contents)
            except ValueError:  # a name that is not bound yet
                continue


def _read_code(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, str):
            yield constant.rpartition(".")[2]
        elif isinstance(constant, types.CodeType):
            yield from _read_code(constant)


def _is_torchs(kind: type) -> bool:
    return kind.__module__.partition(".")[0] in ("torch", "builtins")
