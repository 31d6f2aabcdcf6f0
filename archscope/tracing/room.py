"""Room for a real forward: how much memory it takes at least, and a bound that nobody asked to pass."""

import weakref
from collections.abc import Collection, Iterable
from typing import Any

import torch
from torch.utils._python_dispatch import _disable_current_modes

from archscope.core.trace import Trace, ValueRef
from archscope.core.units import format_bytes
from archscope.tracing.executors import DirectExecutor, make_stand_in
from archscope.tracing.operators import OperatorInfo
from archscope.tracing.structure import iterate_tensors, map_tensors


class NoRoomError(RuntimeError):
    """The next operation would need more memory than a pass that nobody asked for may take."""

    def __init__(self, needed_bytes: int) -> None:
        super().__init__(f"the next operation needs {format_bytes(needed_bytes)} in all")
        self.needed_bytes = needed_bytes


def estimate_real_bytes(trace: Trace) -> int:
    """What a real forward holds at the least: the state, the inputs, and the largest operation that was reached."""
    state = trace.totals.param_bytes + trace.totals.buffer_bytes
    known = {tensor.value for tensor in trace.state} | {ref.value for ref in trace.inputs}
    largest = max((_count_bytes((*op.inputs, *op.outputs), known) for op in trace.ops), default=0)
    return state + _count_bytes(trace.inputs) + largest


def _count_bytes(refs: Iterable[ValueRef], known: Collection[int] = ()) -> int:
    return sum({ref.value: ref.spec.size_bytes for ref in refs if ref.value not in known}.values())


class BoundedExecutor(DirectExecutor):
    """Runs every operation for real, unless the tensors that live then would take more than the bound."""

    def __init__(self, limit_bytes: int, held_bytes: int) -> None:
        """`held_bytes` are taken before the pass begins: parameters, buffers and inputs."""
        super().__init__("real")
        self._limit_bytes = limit_bytes
        self._live_bytes = held_bytes
        self._holders: dict[int, int] = {}
        """How many living tensors share each storage that the pass has made, by its address."""

    def run(self, func: Any, info: OperatorInfo, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run the operation. Raises NoRoomError before the memory is taken."""
        given = {_address(tensor) for _, tensor in iterate_tensors((args, kwargs))}
        if not (info.known is not None and info.known.view) and not info.mutated:
            needed = self._live_bytes + _predict_bytes(func, args, kwargs)
            if needed > self._limit_bytes:
                raise NoRoomError(needed)
        output = super().run(func, info, args, kwargs)
        for _, tensor in iterate_tensors(output):
            address = _address(tensor)
            if address and (address in self._holders or address not in given):
                self._hold(tensor, address)
        return output

    def _hold(self, tensor: torch.Tensor, address: int) -> None:
        size = tensor.untyped_storage().nbytes()
        if address not in self._holders:
            self._live_bytes += size
        self._holders[address] = self._holders.get(address, 0) + 1
        weakref.finalize(tensor, self._let_go, address, size)

    def _let_go(self, address: int, size: int) -> None:
        self._holders[address] -= 1
        if not self._holders[address]:
            del self._holders[address]
            self._live_bytes -= size


def _address(tensor: torch.Tensor) -> int:
    try:
        return int(tensor.untyped_storage().data_ptr())
    except (RuntimeError, NotImplementedError):  # sparse and others without one storage
        return 0


def _predict_bytes(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    """Of the operation's results, as its meta kernel tells them; 0 where there is none."""
    try:
        with _disable_current_modes():
            blank = map_tensors((args, kwargs), make_stand_in)
            named = {**blank[1], "device": torch.device("meta")} if "device" in blank[1] else blank[1]
            output = func(*blank[0], **named)
    except Exception:  # noqa: BLE001  sizes that depend on values, devices: the operation itself will tell
        return 0
    return sum(tensor.numel() * tensor.element_size() for _, tensor in iterate_tensors(output))
