"""Whether a saved trace can be one: its parts refer to each other by numbers, and what was edited by hand need not.

Types and the ranges of single values are checked by the codec, before.
"""

from collections.abc import Iterator
from math import prod
from typing import TypeAlias

from archscope.core.documents.trace import LayerEntry, OpEntry, TensorEntry, TraceDocument
from archscope.core.errors import DataError
from archscope.core.operators import Operator, find_operator
from archscope.core.trace import Setting

LARGEST = 2**63 - 1
"""Of the sizes, elements and arguments that torch takes."""

Fault: TypeAlias = tuple[str, str]
"""Where, and what is wrong there."""

_LEAST = {"kernel_size": 1, "stride": 1, "dilation": 1, "padding": 0, "output_padding": 0}
"""Of the arguments of a sliding window."""


def check_trace(document: TraceDocument, name: str = "") -> None:
    """Raise DataError, with the place, where layers, operations, values or edges contradict each other."""
    for place, told in _list_faults(document):
        where = f"{name}: {place}" if name else place
        raise DataError(f"{where} {told}", document.remedy)


def _list_faults(document: TraceDocument) -> Iterator[Fault]:
    yield from _check_layers(document)
    yield from _check_totals(document)
    yield from _check_tensors(document)
    for index, op in enumerate(document.ops or ()):
        yield from _check_op(op, index, document)
    for index, edge in enumerate(document.edges or ()):
        known = len(document.ops or ())
        made = edge.producer is None or 0 <= edge.producer < edge.consumer
        if not (made and 0 <= edge.consumer < known):
            yield f"edges[{index}]", f"goes from operation {edge.producer} to {edge.consumer} of {known}"


def _check_layers(document: TraceDocument) -> Iterator[Fault]:
    layers = document.layers
    callers = {layer.parent for layer in layers}
    for index, layer in enumerate(layers):
        parent = layer.parent if layer.parent is not None else -1
        if layer.id != index or not (parent < index and (parent >= 0) == (index > 0)):
            yield f"layers[{index}]", f"has id {layer.id} and parent {layer.parent}, which is no pre-order"
        elif layer.depth != (layers[parent].depth + 1 if index else 0):
            yield f"layers[{index}]", f"has depth {layer.depth}, which its parent contradicts"
        elif layer.leaf and layer.id in callers:
            yield f"layers[{index}]", "is a leaf, and has children"
        elif document.ops and not _lies_within(layer, document):
            yield f"layers[{index}]", f"ran operations {layer.first_op} to {layer.end_op} of {len(document.ops)}"
    for index, item in enumerate(document.uncounted):
        if not all(0 <= number < len(layers) for number in item.layers) or item.calls < 0:
            yield f"uncounted[{index}]", f"names layers that are not there: {_show(item.layers)}"
    if document.failure is not None and document.failure.layer >= len(layers):
        yield "failure.layer", f"is {document.failure.layer} of {len(layers)} layers"


def _lies_within(layer: LayerEntry, document: TraceDocument) -> bool:
    first, end = layer.first_op or 0, layer.end_op or 0
    around = document.layers[layer.parent] if layer.parent is not None else None
    if around is not None:
        return (around.first_op or 0) <= first <= end <= (around.end_op or 0)
    return first <= end <= len(document.ops or ())


def _check_totals(document: TraceDocument) -> Iterator[Fault]:
    totals, root = document.totals, document.layers[0]
    for field in ("params", "trainable_params", "macs"):
        if getattr(totals, field) != getattr(root, field):
            yield f"totals.{field}", f"is {getattr(totals, field)}, and that of the root {getattr(root, field)}"
    for values in ([layer.own_macs for layer in document.layers], [op.macs for op in document.ops or ()]):
        known = [value for value in values if value is not None]
        if values and totals.macs is not None and len(known) == len(values) and sum(known) != totals.macs:
            yield "totals.macs", f"is {totals.macs}, and its parts have {sum(known)}"
    if document.forward_complete != (document.failure is None):
        yield "forward_complete", f"is {_show(document.forward_complete)}, and failure says otherwise"
    if document.counts_complete != (totals.macs is not None):
        yield "counts_complete", f"is {_show(document.counts_complete)}, and totals.macs says otherwise"


def _check_tensors(document: TraceDocument) -> Iterator[Fault]:
    """Sizes that a tensor can have, and one shape for each value."""
    shapes: dict[int, tuple[int, ...]] = {}
    lazy = {state.value for state in document.state or ()}
    """Parameters, which may have no shape before they are first used."""
    for place, tensor in _list_tensors(document):
        if prod(size for size in tensor.shape if size) > LARGEST:
            yield place, "has more elements than a tensor can hold"
        if isinstance(tensor.value, int) and not _agrees(shapes, tensor, lazy):
            known = shapes[tensor.value]
            yield place, f"has the shape {_show(tensor.shape)}, and elsewhere value {tensor.value} has {_show(known)}"
    for index, state in enumerate(document.state or ()):
        if any(size < 0 for size in state.shape) or shapes.get(state.value) not in (None, (), state.shape):
            yield f"state[{index}]", f"has the shape {_show(state.shape)}, which is not that of value {state.value}"


def _agrees(shapes: dict[int, tuple[int, ...]], tensor: TensorEntry, lazy: set[int]) -> bool:
    """Whether the value has the shape here that it has before."""
    number, shape = tensor.value or 0, tensor.shape
    known = shapes.get(number)
    if known is None or (number in lazy and not known):
        shapes[number] = shape
        return True
    return known == shape or (number in lazy and not shape)


def _list_tensors(document: TraceDocument) -> Iterator[tuple[str, TensorEntry]]:
    holders = [("", document), *((f"layers[{number}].", layer) for number, layer in enumerate(document.layers))]
    holders += [(f"ops[{number}].", op) for number, op in enumerate(document.ops or ())]
    for place, holder in holders:
        for field in ("inputs", "outputs"):
            for number, tensor in enumerate(getattr(holder, field)):
                yield f"{place}{field}[{number}]", tensor


def _check_op(op: OpEntry, index: int, document: TraceDocument) -> Iterator[Fault]:
    place = f"ops[{index}]"
    if op.index != index or op.layer >= len(document.layers):
        yield place, f"has index {op.index} and ran in layer {op.layer} of {len(document.layers)}"
    wide = next((name for name, value in op.arguments.pairs if not _fits(value)), None)
    if wide is not None:
        yield f"{place}.arguments.{wide}", "is larger than torch takes"
    operator = find_operator(op.name)
    if operator is not None and operator.kind not in ("fill", "copy", "other"):
        if not op.inputs or not op.outputs:
            yield place, f"is {op.name} without {'outputs' if op.inputs else 'inputs'}"
        else:
            yield from _check_ranks(op, operator, place)
            yield from _check_window(op, place) if operator.window == "sliding" else ()


def _check_ranks(op: OpEntry, operator: Operator, place: str) -> Iterator[Fault]:
    """Whether there are as many dimensions as the operation works along: 2 beside the channels for an image."""
    named = {tensor.key: tensor.shape for tensor in op.inputs}
    data = next((named[key] for key in operator.data if key in named), op.inputs[0].shape)
    weight = next((named[key] for key in operator.weight if key in named), None)
    out, kernel = op.outputs[0].shape, dict(op.arguments.pairs).get("kernel_size")
    if operator.kind == "convolution" and weight is not None:
        fits = len(weight) > 1 and len(data) > 1 and len(out) == len(data)
        fits = fits and (len(weight) == 2 or 0 <= len(weight) - len(data) <= 1)
    elif operator.window in ("sliding", "adaptive"):
        sizes = len(kernel) if isinstance(kernel, tuple) and len(kernel) > 1 else operator.dimensions
        fits = len(out) == len(data) > 0 and len(data) >= sizes
    elif operator.kind == "product":
        fits = len(data) > 0 and weight != () and (len(out) > 0 or len(data) == 1)
    else:
        return
    if not fits:
        shapes = " and ".join(map(_show, (data,) if weight is None else (data, weight)))
        yield place, f"is {op.name} of the shapes {shapes} to {_show(out)}, which it cannot be"


def _check_window(op: OpEntry, place: str) -> Iterator[Fault]:
    for name, value in op.arguments.pairs:
        sizes = value if isinstance(value, tuple) else (value,)
        if any(isinstance(size, int) and size < _LEAST.get(name, -LARGEST) for size in sizes):
            yield f"{place}.arguments.{name}", f"is {_show(value)}, less than {_LEAST[name]}"


def _fits(value: Setting) -> bool:
    if isinstance(value, tuple):
        return all(map(_fits, value))
    return not isinstance(value, int) or abs(value) <= LARGEST


def _show(value: Setting) -> str:
    text = str(list(value)) if isinstance(value, tuple) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."
