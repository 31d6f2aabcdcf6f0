"""The time of each module, forward and backward: every moment of a pass is charged to one module.

In forward a module's own time is that between its beginning and its end without the calls it makes. In backward each
of autograd's nodes is charged to the module in whose forward it was made, known by autograd's sequence numbers, with
the time since the node before it; so the parts sum to the whole but for what the watching itself costs.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from archscope.benchmarking.statistics import find_quantile
from archscope.benchmarking.workload import ModelWorkload, find_loss
from archscope.machine.clock import Clock, Mark
from archscope.machine.precision import autocast, use_precision
from archscope.modules import clear_gradients, is_training, name_modules
from archscope.tracing.observer import ForwardObserver, ModuleCall

PASSES = 12
LEAST_PASSES = 3
LOSS_PATH = "(loss)"
"""Where the loss and what belongs to no module stands."""


@dataclass(frozen=True, slots=True)
class Split:
    """Milliseconds of each module's own work, by path: means over the middle half of the passes."""

    forward_ms: Mapping[str, float]
    backward_ms: Mapping[str, float]
    """Empty in inference."""
    whole_forward_ms: float
    whole_backward_ms: float | None
    """The same passes without anybody watching, taken in turns with the others: medians."""
    passes: int


@dataclass(slots=True)
class _Charges:
    """Marks as they were set, each with the module that the time until it belongs to."""

    start: Mark
    entries: list[tuple[str, Mark]] = field(default_factory=list)

    def read(self, clock: Clock) -> dict[str, float]:
        """Milliseconds by path."""
        sums: dict[str, float] = {}
        before = self.start
        for path, mark in self.entries:
            sums[path] = sums.get(path, 0.0) + clock.between_ms(before, mark)
            before = mark
        return sums


class _ForwardClock(ForwardObserver[ModuleCall]):
    """Charges forward's time; uses no dispatch mode, which would be most of what it measures."""

    call_type = ModuleCall

    def __init__(self, module: nn.Module, clock: Clock) -> None:
        super().__init__(module)
        self._clock = clock
        self.charges = _Charges(clock.mark())

    def on_call(self, call: ModuleCall, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """What came before belongs to the call around this one."""
        self.charge()

    def on_return(self, call: ModuleCall, output: Any) -> None:
        """What came before belongs to this call."""
        self.charge()

    def charge(self) -> None:
        """The time since the last mark belongs to the innermost call."""
        path = LOSS_PATH if self.innermost is None else self.innermost.place.path
        self.charges.entries.append((path, self._clock.mark()))


def split_time(workload: ModelWorkload, clock: Clock, seconds: float) -> Split:
    """Twelve passes, or as many as `seconds` allow but three at least, after one that does not count.

    They take turns with passes that nobody watches, so that both meet the same machine.
    """
    end = time.monotonic() + seconds
    forward: list[dict[str, float]] = []
    backward: list[dict[str, float]] = []
    whole: list[list[float]] = []
    with use_precision(workload.device, workload.dtype):
        run_pass(workload, clock)
        while len(forward) < PASSES and (len(forward) < LEAST_PASSES or time.monotonic() < end):
            ahead, back = run_pass(workload, clock)
            forward.append(ahead)
            backward.append(back)
            whole.append(_time_phases(workload, clock))
    medians = [find_quantile([times[i] for times in whole], 0.5) for i in range(len(workload.phases))]
    return Split(
        forward_ms=average_middle(forward),
        backward_ms=average_middle(backward),
        whole_forward_ms=medians[0],
        whole_backward_ms=medians[1] if len(medians) > 1 else None,
        passes=len(forward),
    )


def _time_phases(workload: ModelWorkload, clock: Clock) -> list[float]:
    marks = workload.run(clock.mark)
    clock.settle()
    return [clock.between_ms(start, end) for start, end in pairwise(marks)]


def run_pass(workload: ModelWorkload, clock: Clock) -> tuple[dict[str, float], dict[str, float]]:
    """One forward and, where the module trains, backward: milliseconds by path. Gradients are dropped."""
    args, kwargs = workload.inputs
    module = workload.module
    with torch.inference_mode(not is_training(module)):
        watcher = _ForwardClock(module, clock)
        with autocast(workload.device, workload.dtype):
            output = watcher.call_root(args, dict(kwargs))
            loss = find_loss(output) if is_training(module) else None
        watcher.charge()
    charges = None
    if loss is not None:
        with _watch_nodes(loss, module, watcher, clock) as charges:
            loss.backward()  # type: ignore[no-untyped-call]
        clear_gradients(module)
    clock.settle()
    return watcher.charges.read(clock), charges.read(clock) if charges is not None else {}


@contextmanager
def _watch_nodes(loss: Tensor, module: nn.Module, watcher: _ForwardClock, clock: Clock) -> Iterator[_Charges]:
    """Charge each node of the loss's graph when it is done; the hooks are taken off afterwards."""
    owners = {id(tensor): path for path, part in name_modules(module) for tensor in part._parameters.values()}
    charges = _Charges(None)
    handles = [
        node.register_hook(_make_charger(charges, _find_owner(node, owners, watcher), clock))
        for node in _list_nodes(loss)
    ]
    charges.start = clock.mark()
    try:
        yield charges
    finally:
        for handle in handles:
            handle.remove()


def _make_charger(charges: _Charges, path: str, clock: Clock) -> Callable[..., None]:
    def charge(*_: object) -> None:
        charges.entries.append((path, clock.mark()))

    return charge


def _find_owner(node: Any, owners: Mapping[int, str], watcher: _ForwardClock) -> str:
    """Nodes that add up a parameter's gradient belong to its module, all others to the one that made them."""
    variable = getattr(node, "variable", None)
    if variable is not None:
        return owners.get(id(variable), LOSS_PATH)
    maker = watcher.find_maker(node._sequence_nr())
    return LOSS_PATH if maker is None else maker.path


def _list_nodes(loss: Tensor) -> list[Any]:
    """Every node beneath the loss, once."""
    found: dict[Any, None] = {}
    waiting = [loss.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in found:
            continue
        found[node] = None
        waiting += [following for following, _ in node.next_functions]
    return list(found)


def average_middle(passes: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Means by path over the middle half of the passes, by their totals: the parts of a mean sum to the mean whole."""
    ordered = sorted(passes, key=lambda sums: sum(sums.values()))
    skipped = len(ordered) // 4
    middle = ordered[skipped : len(ordered) - skipped]
    paths = dict.fromkeys(path for sums in middle for path in sums)
    return {path: sum(sums.get(path, 0.0) for sums in middle) / len(middle) for path in paths}
