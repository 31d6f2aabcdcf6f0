"""What a reviewer would say about a traced pass: BatchNorm that sees too little or too much, parameters never used."""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import prod

from archscope.core.finding import Finding
from archscope.core.operators import find_operator
from archscope.core.trace import LayerCall, OpRecord, Trace
from archscope.core.units import format_exact

MOST_NAMES = 4
SINGLE_VALUE = "batchnorm-single-value"
UNUSED = "unused-parameters"
USED = "every parameter takes part in the result"
TOO_FEW = "Expected more than 1 value per channel when training"
"""What torch says where BatchNorm has one value per channel; text of torch 1.0 to 2.14."""


def review_trace(trace: Trace, unused: Collection[str] = (), mentioned: Collection[str] = ()) -> tuple[Finding, ...]:
    """The findings that the record of the pass gives rise to.

    `unused` are paths of parameters, out of `list_unused`, that no pass reads in either mode; `mentioned` those of them
    that the model's code names all the same, so that another input or setting may use them.
    """
    norms = _list_norms(trace)
    return (
        *_judge_failure(trace),
        *_judge_single_images(trace, norms),
        *_judge_repeated_norms(trace, norms),
        *_judge_unused(trace, frozenset(unused), frozenset(mentioned)),
    )


# --- BatchNorm --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Norm:
    """One call of a batch normalisation of the data, whatever module made it."""

    op: OpRecord
    layer: LayerCall

    @property
    def shape(self) -> tuple[int, ...]:
        return self.op.inputs[0].shape


def _list_norms(trace: Trace) -> list[_Norm]:
    """Not InstanceNorm and standardised weights, which run the same operation on a view of something else."""
    state = {tensor.value for tensor in trace.state}
    found = []
    for op in trace.ops:
        operator = find_operator(op.name)
        if operator is None or operator.title != "batch normalisation" or not op.inputs:
            continue
        layer = trace.layers[op.layer]
        mean = op.operand("running_mean")
        direct = bool(layer.inputs) and op.inputs[0].value == layer.inputs[0].value
        if direct or (mean is not None and mean.value in state):
            found.append(_Norm(op, layer))
    return found


def _judge_failure(trace: Trace) -> Iterator[Finding]:
    failure = trace.failure
    if failure is not None and TOO_FEW in failure.message:
        name = failure.path or trace.root.type
        yield Finding(
            severity="error",
            code=SINGLE_VALUE,
            message=f"{name} has one value per channel, of which no variance can be taken in training mode",
            place=failure.path,
            expected="at least 2 values per channel: images times positions",
            measured="1",
            remedy="give at least 2 images in training mode; in a DataLoader, drop_last=True keeps a last batch of "
            "one away",
        )


def _judge_single_images(trace: Trace, norms: Sequence[_Norm]) -> Iterator[Finding]:
    alone = [norm for norm in norms if norm.op.argument("training") is True and norm.shape[0] == 1]
    if not alone:
        return
    paths = list(dict.fromkeys(norm.layer.path or trace.root.type for norm in alone))
    fewest = min(prod(norm.shape[2:]) for norm in alone)
    layers = "BatchNorm layer takes its" if len(paths) == 1 else "BatchNorm layers take their"
    yield Finding(
        severity="note",
        code="batchnorm-single-image",
        message=f"batch 1{' in training mode' * trace.training}: {len(paths)} {layers} statistics from one image "
        f"({_join(paths)}; "
        f"{format_exact(fewest)} values per channel{' at the fewest' * (len(paths) > 1)})",
        place=paths[0],
        expected="a batch of several images",
        measured="1 image",
        remedy="shapes and counts do not depend on it; train with larger batches, or with GroupNorm",
    )


def _judge_repeated_norms(trace: Trace, norms: Sequence[_Norm]) -> Iterator[Finding]:
    """One BatchNorm after several layers of one block. Where the whole block is called again, the sharing is meant."""
    groups: dict[tuple[int | None, str], list[_Norm]] = {}
    for norm in norms:
        if norm.layer.own_params or norm.op.operand("running_mean") is not None:
            groups.setdefault((norm.layer.parent, norm.layer.path), []).append(norm)
    shared = {finding.place for finding in trace.findings if finding.code == "shared-module"}
    producers = {ref.value: op for op in trace.ops for ref in op.outputs}
    told: set[str] = set()
    for (_, path), calls in groups.items():
        before = list(dict.fromkeys(_find_weighted(trace, producers, norm) for norm in calls))
        if len(before) < 2 or "" in before or path in shared or path in told:
            continue
        told.add(path)
        yield Finding(
            severity="warning",
            code="shared-module",
            message=f"{path} is one BatchNorm after {_join(before)}: its running statistics mix those of all of them",
            place=path,
            expected="a BatchNorm for each layer",
            measured=f"one for {len(before)}",
            remedy="make one for each; in eval mode the mixed mean and variance fit none of them",
        )


def _find_weighted(trace: Trace, producers: dict[int, OpRecord], norm: _Norm) -> str:
    """Path of the layer with parameters that made the norm's input, nothing but such without any between; else ''."""
    value = norm.op.inputs[0].value
    while (op := producers.get(value)) is not None:
        layer = trace.layers[op.layer]
        if layer.leaf and layer.own_params:
            return layer.path
        if not op.inputs or len(op.inputs) > 1:
            return ""
        value = op.inputs[0].value
    return ""


# --- parameters that are never used -----------------------------------------------------------------------------------


def list_unused(trace: Trace) -> tuple[str, ...]:
    """Paths of the parameters that no operation of a complete pass read.

    One of a called module is left out where a tensor of its shape came from nowhere: `weight.data` is a new tensor.
    """
    if trace.failure is not None or not trace.ops:
        return ()
    read = {ref.value for op in trace.ops for ref in op.inputs}
    known = {tensor.value for tensor in trace.state} | {ref.value for ref in trace.inputs}
    known.update(ref.value for op in trace.ops for ref in op.outputs)
    strangers = {ref.shape for op in trace.ops for ref in op.inputs if ref.value not in known}
    unused = [
        tensor
        for tensor in trace.state
        if tensor.kind == "parameter" and tensor.value not in read and tensor.shape not in strangers
    ]
    return tuple(tensor.path for tensor in unused)


def _judge_unused(trace: Trace, unused: frozenset[str], mentioned: frozenset[str]) -> list[Finding]:
    sizes = {tensor.path: prod(tensor.shape) for tensor in trace.state if tensor.kind == "parameter"}
    groups: dict[str, list[str]] = {}
    for branch in _find_branches(sizes, unused):
        groups.setdefault(re.sub(r"(?<![^.])\d+(?![^.])", "*", branch), []).append(branch)
    findings = []
    for names in groups.values():
        beneath = [path for path in sizes if any(_is_within(path, name) for name in names)]
        place = ".".join(steps[0] if len(set(steps)) == 1 else "*" for steps in zip(*map(_split, names), strict=True))
        elements = sum(sizes[path] for path in beneath)
        measured = f"{format_exact(elements)} of {format_exact(trace.totals.params)} parameters are not used"
        told = f"{_join(names)}: {format_exact(elements)} parameters, in the total all the same"
        them = "it" if len(names) == 1 else "them"
        if any(path in mentioned for path in beneath):
            remedy = f"where no input and no setting uses {them}, leave {them} out of the constructor"
            message = f"this pass does not use {told}"
            findings.append(Finding("note", UNUSED, message, place, measured=measured, remedy=remedy))
        else:
            remedy = f"use {them} in forward, or leave {them} out of the constructor"
            findings.append(Finding("warning", UNUSED, f"forward never uses {told}", place, USED, measured, remedy))
    return findings


def _find_branches(sizes: Iterable[str], unused: frozenset[str]) -> list[str]:
    """The shortest paths beneath which no parameter is used."""
    used = {prefix for path in sizes if path not in unused for prefix in _list_prefixes(path)}
    branches = (
        next(prefix for prefix in _list_prefixes(path) if prefix not in used) for path in sizes if path in unused
    )
    return list(dict.fromkeys(branches))


def _list_prefixes(path: str) -> list[str]:
    parts = path.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts) + 1)]


def _split(path: str) -> list[str]:
    return path.split(".")


def _is_within(path: str, branch: str) -> bool:
    return path == branch or path.startswith(f"{branch}.")


def _join(names: Sequence[str]) -> str:
    if len(names) == 1:
        return names[0]
    if len(names) > MOST_NAMES:
        return f"{', '.join(names[:MOST_NAMES])} and {len(names) - MOST_NAMES} more"
    return f"{', '.join(names[:-1])} and {names[-1]}"
