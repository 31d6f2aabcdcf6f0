"""The lines under a table of a trace: totals with their units, and what is not counted."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from archscope.core.cost import CostReport, Uncounted
from archscope.core.finding import Finding
from archscope.core.tensors import TensorSpec
from archscope.core.trace import Trace
from archscope.core.units import format_bytes, format_exact, format_si
from archscope.tables.layer_text import format_shape

CONVENTION = "1 MAC = 2 FLOPs; convolution, linear, attention"
"""What counts as a multiply-accumulate."""

MOST_NAMES = 8
"""Names listed in one line; the rest is counted."""


def describe_totals(trace: Trace, costs: CostReport) -> str:
    """`25.56 M parameters (97.5 MiB), all trainable · 85.46 MMACs = 170.9 MFLOPs (...) · nothing uncounted`."""
    parts = [_describe_params(trace)]
    if trace.totals.buffers:
        parts.append(f"{format_si(trace.totals.buffers)} in buffers")
    parts.append(_describe_macs(trace, costs))
    if not costs.uncounted and trace.failure is None:
        parts.append("nothing uncounted")
    return " · ".join(parts)


def describe_activations(trace: Trace, costs: CostReport) -> str:
    """`11.12 M activations (outputs of convolution and linear) · 25.4 MiB of activation memory (...)`."""
    return (
        f"{format_si(costs.activations)} activations (outputs of convolution and linear layers) · "
        f"{format_bytes(trace.activation_bytes)} of activation memory (outputs of all layers, in-place ones too)"
    )


def describe_exceptions(trace: Trace, costs: CostReport) -> tuple[str, ...]:
    """One line for each thing the totals leave open: uncounted operations, modules never called, findings, notes."""
    lines = [_describe_uncounted(trace, kind) for kind in costs.uncounted]
    if trace.failure is not None:
        place = trace.failure.path or (trace.root.type if trace.layers else "its beginning")
        lines.append(f"the forward pass stopped in {place}: the counts end there")
    idle = _list_idle(trace)
    if idle and trace.failure is None:
        lines.append(f"never called, parameters in the total all the same: {list_names(idle)}")
    return (*lines, *(line for finding in trace.findings for line in tell_finding(finding)), *trace.notes)


def tell_finding(finding: Finding) -> tuple[str, ...]:
    """`warning: layers, a plain list, holds ...`, and its remedy in a line of its own."""
    told = f"{finding.severity}: {finding.message}"
    return (told, f"  remedy: {finding.remedy}") if finding.remedy else (told,)


def _list_idle(trace: Trace) -> tuple[str, ...]:
    """Modules that this pass never called, but for those that a finding tells of: no pass calls them."""
    dead = [finding.place for finding in trace.findings if finding.code == "unused-parameters"]
    return tuple(
        path for path in trace.never_called if not any(fnmatchcase(f"{path}.", f"{place}.*") for place in dead)
    )


def describe_inputs(trace: Trace) -> str:
    """`1x3x32x32`; several inputs and unusual dtypes are named: `input_ids 1x128 int64`."""
    named = len(trace.inputs) > 1
    texts = [_describe_input(ref.spec, named=named) for ref in trace.inputs]
    return ", ".join(texts[:4]) + (f" and {len(texts) - 4} more" if len(texts) > 4 else "")


def describe_pass(trace: Trace) -> str:
    """`eval` or `train`."""
    return "train" if trace.training else "eval"


def list_names(names: Sequence[str]) -> str:
    """`a, b, c`, at most `MOST_NAMES` of them and how many more there are."""
    listed = ", ".join(name or "(root)" for name in names[:MOST_NAMES])
    more = len(names) - MOST_NAMES
    return f"{listed} and {more} more" if more > 0 else listed


def _describe_params(trace: Trace) -> str:
    totals = trace.totals
    text = f"{format_si(totals.params)} parameters"
    if not totals.params:
        return text
    text += f" ({format_bytes(totals.param_bytes)})"
    if totals.trainable_params == totals.params:
        return f"{text}, all trainable"
    if not totals.trainable_params:
        return f"{text}, all frozen"
    return f"{text}, {format_si(totals.trainable_params)} of them trainable"


def _describe_macs(trace: Trace, costs: CostReport) -> str:
    counted = costs.counted_macs
    text = f"{format_si(counted, 'MACs')} = {format_si(2 * counted, 'FLOPs')}"
    if trace.failure is not None:
        return f"{text} before the failure ({CONVENTION})"
    return f"{text} ({CONVENTION})" if costs.macs is not None else f"at least {text} ({CONVENTION})"


def _describe_uncounted(trace: Trace, kind: Uncounted) -> str:
    names = list(dict.fromkeys(trace.layers[layer].path for layer in kind.layers))
    return f"uncounted: {kind.op} x{format_exact(kind.calls)} in {list_names(names)} ({kind.reason})"


def _describe_input(spec: TensorSpec, *, named: bool) -> str:
    words = [spec.key if named else "", format_shape(spec.shape), "" if spec.dtype == "float32" else spec.dtype]
    return " ".join(word for word in words if word)
