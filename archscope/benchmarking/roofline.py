"""What each module does, what bounds it and how near it comes to the ceiling."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from archscope.benchmarking.ceiling import Ceiling
from archscope.benchmarking.layers import LOSS_PATH, Split
from archscope.benchmarking.results import LayerTime
from archscope.core.cost import CostReport
from archscope.core.operators import find_operator
from archscope.core.trace import OpRecord, Trace


@dataclass(frozen=True, slots=True)
class Work:
    """What one module's own operations do in forward."""

    type: str
    macs: int | None
    moved_bytes: int


def list_work(trace: Trace, costs: CostReport, dtype_scale: float = 1.0) -> dict[str, Work]:
    """By path, all its calls together. Bytes are those of each operation's operands and results, views left out.

    `dtype_scale` is 0.5 where tensors are half as wide in the measurement as in the trace.
    """
    types = {layer.path: layer.type for layer in trace.layers}
    macs: dict[str, int | None] = dict.fromkeys(types, 0)
    moved = dict.fromkeys(types, 0)
    for layer in trace.layers:
        own, before = costs.layers[layer.id].own_macs, macs[layer.path]
        macs[layer.path] = None if own is None or before is None else before + own
    for op in trace.ops:
        moved[trace.layers[op.layer].path] += count_moved(op)
    return {path: Work(types[path], macs[path], int(moved[path] * dtype_scale)) for path in types}


def count_moved(op: OpRecord) -> int:
    """Bytes that an operation reads and writes; each tensor once."""
    operator = find_operator(op.name)
    if operator is not None and operator.view:
        return 0
    return sum({ref.value: ref.spec.size_bytes for ref in (*op.inputs, *op.outputs)}.values())


def place_under_roof(split: Split, work: Mapping[str, Work], ceiling: Ceiling | None) -> tuple[LayerTime, ...]:
    """Each module that took time or does work, in the order of execution; the loss last."""
    return tuple(_list_layers(split, work, ceiling))


def _list_layers(split: Split, work: Mapping[str, Work], ceiling: Ceiling | None) -> Iterator[LayerTime]:
    paths = [*(path for path in work if path in split.forward_ms or path in split.backward_ms), LOSS_PATH]
    paths += [path for path in (*split.forward_ms, *split.backward_ms) if path not in work and path != LOSS_PATH]
    for path in dict.fromkeys(paths):
        done = work.get(path, Work("" if path == LOSS_PATH else "?", 0, 0))
        floor_ms, bound = find_floor(done, ceiling)
        yield LayerTime(
            path=path,
            type=done.type,
            forward_ms=split.forward_ms.get(path, 0.0),
            backward_ms=split.backward_ms.get(path, 0.0) if split.backward_ms else None,
            macs=done.macs,
            moved_bytes=done.moved_bytes,
            floor_ms=floor_ms,
            bound=bound,
        )


def find_floor(work: Work, ceiling: Ceiling | None) -> tuple[float | None, str]:
    """The least milliseconds at the ceilings, and which of the two decides; None where the MACs are not known."""
    if ceiling is None or work.macs is None or not (work.macs or work.moved_bytes):
        return None, ""
    computing = 2e3 * work.macs / ceiling.flops_per_second
    moving = 1e3 * work.moved_bytes / ceiling.bytes_per_second
    return max(computing, moving), "compute" if computing > moving else "memory"
