"""A fit as a table for people and a document for programs."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from archscope.analysis.memory import MemoryPrediction
from archscope.core.codec import fill
from archscope.core.documents.fit import DecidingEntry, FitDocument, FitDtype, SavedEntry
from archscope.core.table import Cell, Column, Row, Table
from archscope.core.units import format_bytes, format_exact, format_share
from archscope.core.words import format_memory
from archscope.memory.fit import Fit
from archscope.rendering.report import Report
from archscope.version import __version__

COLUMNS = (
    Column("part", "part"),
    Column("bytes", "bytes", align="right", kind="number"),
    Column("size", "", align="right"),
    Column("remark", "", noted=True),
)

_BUILT = "float32 as built, no autocast"
_CAST = (
    "{0} by autocast, whose rules are those of the CPU; the weights stay float32, their casts are among what is saved"
)
_PURE = "weights, gradients and inputs in {0}"
_PRECISIONS: dict[FitDtype, str] = {
    "fp32": _BUILT,
    "tf32": f"{_BUILT}; TF32 is a way to compute products and takes the same memory",
    "bf16": _CAST.format("bfloat16"),
    "fp16": _CAST.format("float16"),
    "bf16-pure": _PURE.format("bfloat16"),
    "fp16-pure": _PURE.format("float16"),
}

MOST_LAYERS = 5
"""Layers named in the table."""


def build_fit_table(fit: Fit) -> Table:
    """What the batch needs, part by part, then the layers that save most."""
    prediction = fit.prediction
    parts = [("parameters", prediction.parameter_bytes, "")]
    if prediction.buffer_bytes:
        parts.append(("buffers", prediction.buffer_bytes, ""))
    if fit.training:
        parts += [
            ("gradients", prediction.gradient_bytes, ""),
            (f"optimizer state ({fit.request.optimizer})", prediction.optimizer_bytes, ""),
            ("saved activations", prediction.saved_activation_bytes, "unique storages, for the backward pass"),
        ]
    rows = [_row(*part) for part in parts]
    rows += [
        Row(_row("peak of tensors", prediction.peak_bytes, f"at {describe_place(prediction)}").cells, kind="total"),
        _row("workspace", prediction.workspace_bytes, "an estimate: cuBLAS, cuDNN"),
        _row("needed", prediction.total_bytes, ""),
    ]
    if fit.reserve_bytes:
        rows += [
            _row("reserved", fit.reserve_bytes, _describe_reserve(fit)),
            Row(_row("needed and reserved", fit.whole_bytes, _compare(fit)).cells, kind="total"),
        ]
    else:
        rows[-1] = _row("needed", prediction.total_bytes, _compare(fit))
    paths = Counter(layer.path for layer in prediction.layers)  # layers that are not registered share one
    largest = sorted(prediction.layers, key=lambda layer: -layer.saved_bytes)[:MOST_LAYERS]
    rows += [
        _row(
            f"saved in {layer.path or 'the root'}{f' ({layer.type})' * (paths[layer.path] > 1)}",
            layer.saved_bytes,
            f"{format_share(layer.saved_bytes, prediction.saved_activation_bytes)} of the saved activations",
        )
        for layer in largest
    ]
    shapes = ", ".join("x".join(map(str, shape)) for shape in fit.shapes)
    mode = f"training step, {fit.request.optimizer}" if fit.training else "inference"
    mode += "" if fit.request.dtype == "fp32" else f" · {fit.request.dtype}"
    return Table(
        f"{fit.target.title}: {describe_verdict(fit)}",
        COLUMNS,
        tuple(rows),
        notes=(*_explain(fit), *fit.notes),
        subtitle=f"{shapes} · {mode}",
        mark="" if fit.fits is None else "good" if fit.fits else "bad",
    )


def describe_verdict(fit: Fit) -> str:
    """`the largest batch within 16 GiB is 194`, in words for every outcome."""
    limit = fit.request.memory_bytes
    if limit is None:
        return f"batch {format_exact(fit.batch)} {_describe_need(fit)}"
    within = format_memory(limit)
    if fit.largest is None:
        return f"batch {format_exact(fit.batch)} {'fits' if fit.fits else 'does not fit'} in {within}"
    if fit.largest == 0:
        return f"nothing fits in {within}: batch {fit.batch} {_describe_need(fit)}"
    return f"the largest batch within {within} is {format_exact(fit.largest)}"


def _describe_need(fit: Fit) -> str:
    needed = f"needs {format_bytes(fit.prediction.total_bytes)}"
    return f"{needed}, {format_bytes(fit.whole_bytes)} with the reserve" if fit.reserve_bytes else needed


def describe_place(prediction: MemoryPrediction) -> str:
    """`layer1.0.conv3 (Conv2d), backward`."""
    if prediction.phase == "optimizer":
        return "the optimizer's step: the parameters decide"
    return f"{prediction.deciding_layer or 'the root'} ({prediction.deciding_type}), {prediction.phase}"


def build_fit_document(fit: Fit) -> FitDocument:
    """The document of what a batch needs; exact integers."""
    prediction = fit.prediction
    return fill(
        FitDocument,
        prediction,
        archscope=__version__,
        torch=torch.__version__,
        target=fit.target.text,
        arguments=dict(fit.target.arguments),
        training=fit.training,
        dtype=fit.request.dtype,
        optimizer=fit.request.optimizer if fit.training else None,
        memory_bytes=fit.request.memory_bytes,
        batch=fit.batch,
        fits=fit.fits,
        largest_batch=fit.largest,
        inputs=fit.shapes,
        needed_bytes=prediction.total_bytes,
        next_needed_bytes=fit.next_needed_bytes,
        reserve_bytes=fit.reserve_bytes,
        reserve_fixed_bytes=fit.request.reserve.fixed_bytes,
        reserve_share=float(fit.request.reserve.share),
        deciding=DecidingEntry(prediction.deciding_layer, prediction.deciding_type, prediction.phase),
        layers=tuple(fill(SavedEntry, layer) for layer in prediction.layers),
        notes=fit.notes,
    )


def _row(part: str, size: int, remark: str) -> Row:
    return Row((Cell(part), Cell(format_exact(size), size), Cell(format_bytes(size)), Cell(remark)))


def _describe_reserve(fit: Fit) -> str:
    """`0.5 GiB + 5 % of 16 GiB`."""
    limit = fit.request.memory_bytes
    of = "the whole" if limit is None else format_memory(limit)
    return f"{fit.request.reserve} of {of}" if fit.request.reserve.share else str(fit.request.reserve)


def _compare(fit: Fit) -> str:
    limit = fit.request.memory_bytes
    if limit is None:
        return "the least memory to have" if fit.reserve_bytes else ""
    left = limit - fit.whole_bytes
    within = format_memory(limit)
    return f"leaves {format_bytes(left)} of {within}" if left >= 0 else f"exceeds {within} by {format_bytes(-left)}"


def _explain(fit: Fit) -> Iterator[str]:
    limit, above = fit.request.memory_bytes, fit.next_needed_bytes
    if limit is not None and above is not None:
        excess = above + fit.reserve_bytes - limit
        beside = "with the reserve, " if fit.reserve_bytes else ""
        overrun = f"would exceed {format_memory(limit)} by {format_bytes(excess)}"
        yield f"{beside}batch {format_exact(fit.batch + 1)} {overrun}"
    if fit.training:
        yield f"a step after the first, gradients set to None before it; {_PRECISIONS[fit.request.dtype]}"
    elif fit.request.dtype != "fp32":
        yield _PRECISIONS[fit.request.dtype]
    what = "a device's context (about 0.5 GiB on CUDA) and the fragments between blocks"
    yield f"reserved: {what}; --reserve changes it" if fit.reserve_bytes else f"{what} come on top"
    if fit.prediction.uncounted:
        yield f"not counted: the workspace that {', '.join(fit.prediction.uncounted)} keeps, of unknown size"


@dataclass(frozen=True, slots=True, repr=False)
class FitReport(Report):
    """The largest batch that fits, or what one batch needs."""

    fit: Fit

    @property
    def failed(self) -> bool:
        """Whether nothing fits, or the batch asked for does not."""
        return self.fit.fits is False

    def build_document(self) -> FitDocument:
        """The document `archscope.fit/1`."""
        return build_fit_document(self.fit)

    def build_tables(self, width: int | None = None) -> tuple[Table, ...]:
        """Part by part what the batch needs."""
        return (build_fit_table(self.fit),)
