"""Findings on what a module holds: parts that are not registered, and parts that are registered several times."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from archscope.core.finding import Finding
from archscope.core.units import format_exact
from archscope.tracing.holdings import Holding, list_state
from archscope.tracing.recorder import RecordedCall, Recorder
from archscope.tracing.state import element_count, own_parameters, walk_modules

CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
MISSED = "so parameters(), state_dict(), .to() and the parameter totals pass over"
MOST_NAMES = 4


@dataclass(frozen=True, slots=True)
class Usage:
    """What the pass used: calls, and tensors that operations read."""

    recorder: Recorder
    complete: bool
    """False where forward raised: then nothing is known of what did not run."""

    def uses_module(self, module: nn.Module) -> bool:
        """Whether forward called any part of it, or read any of its tensors."""
        called = {id(call.module) for call in self.recorder.calls}
        return any(id(part) in called for part in _list_parts(module)) or any(map(self.uses_tensor, list_state(module)))

    def uses_tensor(self, tensor: torch.Tensor) -> bool:
        """Whether an operation read it as the constructor left it."""
        return self.recorder.values.was_read(self.recorder.executor.stand_in(tensor))


def review_registration(
    root: nn.Module, holdings: Sequence[Holding], usage: Usage
) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """The findings, and the places of plain tensors that forward read as constants, which a device move leaves behind.

    `holdings` were found before forward ran.
    """
    findings: list[Finding] = []
    constants: list[str] = []
    for holding in holdings:
        findings += _judge_modules(holding, usage)
        findings += _judge_parameters(holding, usage)
        constants += [
            held.place
            for held in holding.tensors
            if not _is_learned(held.value) and held.value.dim() > 0 and usage.uses_tensor(held.value)
        ]
    findings += _judge_strangers(root, holdings, usage.recorder.calls)
    findings += _judge_shared(root, usage)
    return tuple(findings), tuple(constants)


# --- modules that are not registered ----------------------------------------------------------------------------------


def _judge_modules(holding: Holding, usage: Usage) -> list[Finding]:
    modules = [held.value for held in holding.modules]
    used = any(map(usage.uses_module, modules))
    if not modules or not (used or not usage.complete or holding.container in ("list", "dict", "")):
        return []
    what = _tell_unregistered(holding, _count_kinds(modules), len(modules))
    if _list_all(modules):
        idle = "" if used or not usage.complete else "; forward uses none of it"
        return [_make_finding(f"{what}, {_tell_missed(modules)}{idle}", holding.place, modules, _advise(holding), used)]
    switched = sorted({type(part).__name__ for module in modules for part in _list_parts(module) if _obeys_mode(part)})
    if not switched or not used:
        return []
    message = f"{what}, so .eval() passes over {' and '.join(switched)} and leaves it in training mode"
    return [Finding("warning", "unregistered-module", message, holding.place, remedy=_advise(holding))]


def _make_finding(message: str, place: str, modules: Sequence[nn.Module], remedy: str, used: bool) -> Finding:  # noqa: FBT001
    learned = any(map(_may_learn, _list_parameters(modules)))
    return Finding(
        severity="warning" if learned and used else "note",
        code="unregistered-module",
        message=message,
        place=place,
        expected="every layer registered",
        measured=f"{len(modules)} not registered",
        remedy=remedy,
    )


def _judge_strangers(root: nn.Module, holdings: Sequence[Holding], calls: Sequence[RecordedCall]) -> list[Finding]:
    """Modules with parameters that forward called and that no attribute of the model leads to."""
    known = {id(part) for part in _list_parts(root)}
    known |= {id(part) for holding in holdings for held in holding.modules for part in _list_parts(held.value)}
    groups: dict[str, list[nn.Module]] = {}
    for call in calls:
        if id(call.module) in known or isinstance(call.module, torch.jit.ScriptModule):
            continue
        known.update(id(part) for part in _list_parts(call.module))
        if _list_all([call.module]):
            groups.setdefault("" if call.parent is None else call.parent.place.path, []).append(call.module)
    return [
        _make_finding(
            f"forward calls {_count_kinds(modules)} that no module holds (made in forward, or a global), "
            + _tell_missed(modules),
            place or type(root).__name__,
            modules,
            "make it in __init__ and assign it to an attribute: self.layer = ...",
            True,
        )
        for place, modules in groups.items()
    ]


def _tell_missed(modules: Sequence[nn.Module]) -> str:
    parameters = _list_parameters(modules)
    frozen = not any(map(_may_learn, parameters))
    count = f"{format_exact(sum(map(element_count, parameters)))}{' frozen' if frozen else ''} parameters"
    whose = "its" if len(modules) == 1 else "their"
    return f"{MISSED} {whose} {count if parameters else 'buffers'}"


def _may_learn(parameter: torch.Tensor) -> bool:
    """Whether it is not frozen; of scripted modules, whose parameters are plain tensors in a copy, it is not known."""
    return parameter.requires_grad or not isinstance(parameter, nn.Parameter)


def _obeys_mode(part: nn.Module) -> bool:
    """Whether its training flag changes what it computes although it has no tensors."""
    return (isinstance(part, _DropoutNd) and part.p > 0) or isinstance(part, _BatchNorm)


# --- parameters that are not registered -------------------------------------------------------------------------------


def _judge_parameters(holding: Holding, usage: Usage) -> list[Finding]:
    tensors = [held.value for held in holding.tensors if _is_learned(held.value)]
    tensors = [tensor for tensor in tensors if usage.uses_tensor(tensor) or not usage.complete]
    if not tensors:
        return []
    parameters = all(isinstance(tensor, nn.Parameter) for tensor in tensors)
    one = len(tensors) == 1
    if parameters:
        what = "a Parameter" if one else f"{len(tensors)} Parameters"
    else:
        what = "a plain tensor with requires_grad" if one else f"{len(tensors)} plain tensors with requires_grad"
    elements = format_exact(sum(map(element_count, tensors)))
    return [
        Finding(
            severity="warning" if any(tensor.requires_grad for tensor in tensors) else "note",
            code="unregistered-parameter",
            message=f"{_tell_unregistered(holding, what, len(tensors))}, {MISSED} {'its' if one else 'their'} "
            f"{elements} elements",
            place=holding.place,
            expected="every parameter registered",
            measured=f"{len(tensors)} not registered",
            remedy=_advise(holding, "parameter"),
        )
    ]


def _is_learned(tensor: Any) -> bool:
    """Whether it is meant to be trained; a result of other tensors, which weight normalisation leaves, is not."""
    return isinstance(tensor, nn.Parameter) or (tensor.requires_grad and tensor.is_leaf)


# --- modules that are registered several times ------------------------------------------------------------------------


def _judge_shared(root: nn.Module, usage: Usage) -> list[Finding]:
    """One instance with parameters that one module holds under several names and that is called several times.

    Instances that different modules hold, such as the position encodings of CoaT or tied embeddings, are handed over
    on purpose. What several modules of one class do alike is one finding.
    """
    entries: dict[tuple[int, str], list[str]] = {}
    modules = {}
    for path, module in walk_modules(root):
        entries.setdefault((id(module), path.rpartition(".")[0]), []).append(path)
        modules[path] = module
    calls = Counter(id(call.module) for call in usage.recorder.calls)
    alike: dict[tuple[object, ...], list[_Shared]] = {}
    for (key, parent), names in entries.items():
        module = modules[names[0]]
        if len(names) > 1 and (calls[key] > 1 or not usage.complete) and _list_parameters([module]):
            shared = _Shared(names, module, modules[parent], calls[key])
            relative = tuple(name.rpartition(".")[2] for name in names)
            alike.setdefault((type(shared.parent), relative, type(module)), []).append(shared)
    return [_tell_shared(group[0], len(group) - 1) for group in alike.values()]


@dataclass(frozen=True, slots=True)
class _Shared:
    """One instance that `parent` holds under several names."""

    names: Sequence[str]
    module: nn.Module
    parent: nn.Module
    calls: int


def _tell_shared(shared: _Shared, more: int) -> Finding:
    """A warning for `[block] * 3` and for BatchNorm; `a = b = Linear(...)` is as likely to be meant."""
    kind, count = type(shared.module).__name__, len(shared.names)
    listed = isinstance(shared.parent, CONTAINERS)
    elements = format_exact(sum(map(element_count, _list_parameters([shared.module]))))
    times = f"called {shared.calls} times " if shared.calls > 1 else ""
    statistics = ", and one set of running statistics" if _has_statistics(shared.module) else ""
    alike = f" (the same in {more} more {type(shared.parent).__name__})" if more else ""
    each = (
        f"[{kind}(...) for _ in range({count})], not [{kind}(...)] * {count}" if listed else f"a {kind} for each name"
    )
    return Finding(
        severity="warning" if listed or isinstance(shared.module, _BatchNorm) else "note",
        code="shared-module",
        message=f"{_join(shared.names)} are one {kind}, {times}with the same {elements} parameters{statistics}{alike}",
        place=shared.names[0],
        expected="an instance for each name",
        measured=f"{count} names, one instance",
        remedy=f"where each is to learn its own, make {each}",
    )


def _has_statistics(module: nn.Module) -> bool:
    return any(isinstance(part, _BatchNorm) and part.track_running_stats for part in _list_parts(module))


# --- words ------------------------------------------------------------------------------------------------------------

_ADVICE = {
    ("list", "module"): "keep {them} in nn.ModuleList: self.{name} = nn.ModuleList([...])",
    ("dict", "module"): "keep {them} in nn.ModuleDict: self.{name} = nn.ModuleDict({{...}})",
    ("list", "parameter"): "keep {them} in nn.ParameterList: self.{name} = nn.ParameterList([...])",
    ("dict", "parameter"): "keep {them} in nn.ParameterDict: self.{name} = nn.ParameterDict({{...}})",
    ("", "module"): "assign {them} as an attribute: self.{name} = ...",
    ("", "parameter"): "self.{name} = nn.Parameter(...); where it is not learned, self.register_buffer({name!r}, ...)",
    ("object", "module"): "let {kind} be an nn.Module that is an attribute of the model, or assign {them} to one",
    ("object", "parameter"): "let {kind} be an nn.Module with nn.Parameter attributes, or assign {them} to the model",
    ("closure", "module"): "assign {them} to an attribute of the module: self.layer = ...",
    ("closure", "parameter"): "assign {them} to an attribute of the module: self.weight = nn.Parameter(...)",
    ("class", "module"): "make {them} in __init__: self.{name} = ...; a list of layers as nn.ModuleList",
    ("class", "parameter"): "make {them} in __init__: self.{name} = nn.Parameter(...)",
}


def _advise(holding: Holding, kind: str = "module") -> str:
    items = holding.modules if kind == "module" else holding.tensors
    text = _ADVICE[holding.container, kind].format(
        them="them" if len(items) > 1 else "it",
        name=holding.place.rpartition(".")[2],
        kind=holding.words.rpartition(" ")[2],
    )
    nested = holding.container in ("list", "dict") and any(held.place.count("]") > 1 for held in items)
    return f"{text}, and so each container within it" if nested else text


def _tell_unregistered(holding: Holding, what: str, count: int) -> str:
    """`layers, a plain list, holds 3 Linear modules that are not registered`."""
    if not holding.container:
        return f"{holding.place} is {what} that is not registered"
    return f"{holding.place}, {holding.words}, holds {what} that {'is' if count == 1 else 'are'} not registered"


def _count_kinds(modules: Sequence[nn.Module]) -> str:
    """`a Conv2d`, `3 modules (2 Conv2d, ReLU)`."""
    kinds = Counter(type(module).__name__ for module in modules)
    if len(modules) == 1:
        (kind,) = kinds
        return f"{'an' if kind[0] in 'AEIOU' else 'a'} {kind}"
    if len(kinds) == 1:
        return f"{len(modules)} {next(iter(kinds))} modules"
    listed = [f"{count} {kind}" if count > 1 else kind for kind, count in kinds.most_common(MOST_NAMES)]
    return f"{len(modules)} modules ({', '.join(listed)}{', ...' if len(kinds) > MOST_NAMES else ''})"


def _join(names: Sequence[str]) -> str:
    shown = list(names[:MOST_NAMES])
    if len(names) > MOST_NAMES:
        return f"{', '.join(shown)} and {len(names) - MOST_NAMES} more"
    return f"{', '.join(shown[:-1])} and {shown[-1]}"


def _list_parts(module: nn.Module) -> list[nn.Module]:
    return [part for _, part in walk_modules(module)]


def _list_all(modules: Iterable[nn.Module]) -> list[torch.Tensor]:
    state = [tensor for module in modules for tensor in list_state(module)]
    return list({id(tensor): tensor for tensor in state}.values())


def _list_parameters(modules: Iterable[nn.Module]) -> list[torch.Tensor]:
    found = (tensor for module in modules for part in _list_parts(module) for tensor in own_parameters(part))
    return list({id(tensor): tensor for tensor in found}.values())
