"""A workload goes in; the time of each module, forward and backward, comes out: every moment is charged to one module.

In forward a module's own time is that between its beginning and its end without the calls it makes. In backward each
of autograd's nodes is charged to the module in whose forward it was made, known by autograd's sequence numbers, with
the time since the node before it; so the parts sum to the whole but for what the watching itself costs.
"""

import time
from bisect import bisect_right
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
from archscope.tracing.calls import observe_calls

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


class _Watcher:
    """Told of every module call; charges forward's time, and remembers which nodes were made where."""

    def __init__(self, module: nn.Module, clock: Clock) -> None:
        self._clock = clock
        self._paths = {id(part): path for path, part in module.named_modules()}
        self._open: list[str] = []
        self.forward = _Charges(clock.mark())
        self._numbers: list[int] = []
        self._entered: list[str] = []

    @property
    def innermost(self) -> str:
        """Path of the call that runs."""
        return self._open[-1] if self._open else LOSS_PATH

    def enter_call(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """A call begins."""
        self.charge()
        self._open.append(self._paths.get(id(module), self.innermost))
        self._note()

    def leave_call(self, ticket: Any, output: Any) -> None:
        """A call ends."""
        self.charge()
        self._open.pop()
        self._note()

    def fail_call(self, ticket: Any, error: BaseException) -> None:
        """A call raised."""
        self._open.pop()

    def charge(self) -> None:
        """The time since the last mark belongs to the innermost call."""
        self.forward.entries.append((self.innermost, self._clock.mark()))

    def find_maker(self, number: int) -> str:
        """The module in whose own forward the node of that sequence number was made."""
        index = bisect_right(self._numbers, number) - 1
        return self._entered[index] if index >= 0 else LOSS_PATH

    def _note(self) -> None:
        self._numbers.append(torch.autograd._get_sequence_nr())  # type: ignore[attr-defined]
        self._entered.append(self.innermost)


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
    with torch.inference_mode(not module.training):
        watcher = _Watcher(module, clock)
        with observe_calls(watcher), autocast(workload.device, workload.dtype):
            output = module(*args, **kwargs)
            loss = find_loss(output) if module.training else None
        watcher.charge()
    charges = None
    if loss is not None:
        with _watch_nodes(loss, module, watcher, clock) as charges:
            loss.backward()  # type: ignore[no-untyped-call]
        module.zero_grad(set_to_none=True)
    clock.settle()
    return watcher.forward.read(clock), charges.read(clock) if charges is not None else {}


@contextmanager
def _watch_nodes(loss: Tensor, module: nn.Module, watcher: _Watcher, clock: Clock) -> Iterator[_Charges]:
    """Charge each node of the loss's graph when it is done; the hooks are taken off afterwards."""
    owners = {id(tensor): path for path, part in module.named_modules() for tensor in part._parameters.values()}
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


def _find_owner(node: Any, owners: Mapping[int, str], watcher: _Watcher) -> str:
    """Nodes that add up a parameter's gradient belong to its module, all others to the one that made them."""
    variable = getattr(node, "variable", None)
    if variable is not None:
        return owners.get(id(variable), LOSS_PATH)
    return watcher.find_maker(node._sequence_nr())


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
