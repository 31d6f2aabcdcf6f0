"""The bytes of the storages that live at every moment of a pass, and the layer of the peak.

Storages are told apart by identity and watched by weak references, so that what Python or autograd still holds counts,
and nothing else. Made for fake tensors, whose storages have sizes and no memory.
"""

import weakref
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from archscope.analysis.memory import LayerMemory, Peak, Phase
from archscope.core.operators import find_operator
from archscope.tracing.observer import ModuleCall, OperationObserver, Place
from archscope.tracing.structure import iterate_tensors, list_operands

PRODUCT_WORKSPACE_BYTES = 32 * 2**20
"""What cuBLAS sets aside at the first matrix product: 32 MiB on Hopper, 8 MiB before it."""


class StorageLedger(OperationObserver[ModuleCall]):  # type: ignore[no-untyped-call]
    """Keeps the sum of the living storages while operations run, and the place of the peak."""

    call_type = ModuleCall

    def __init__(self, root: nn.Module, resident: Iterable[torch.Tensor], other_bytes: int) -> None:
        """`resident` tensors live throughout; `other_bytes` are there beside them from the beginning."""
        super().__init__(root)
        self.phase: Phase = "forward"
        self.live_bytes = other_bytes
        self._outside = Place("", type(root).__name__)
        self._living: dict[int, weakref.ref[torch.UntypedStorage]] = {}
        self._uses_products = False
        self.uncounted: dict[str, None] = {}
        """Names of operations that keep a reserve of unknown size."""
        for tensor in resident:
            self.note(tensor)
        self.peak = Peak(self.live_bytes, *self._outside)
        self._peak_with_workspace = self.live_bytes

    @property
    def place(self) -> Place:
        """The module whose operation runs, or whose operation's backward does; the root outside of any call."""
        if self.phase == "forward":
            return self._outside if self.innermost is None else self.innermost.place
        node: Any = torch._C._current_autograd_node()  # None outside of any, whatever its annotation says
        maker = None if node is None else self.find_maker(node._sequence_nr())
        return maker or self._outside

    @property
    def workspace_bytes(self) -> int:
        """How far the libraries' workspace lifts the peak: an estimate.

        A convolution is taken to copy its input and output into the layout of its kernel.
        """
        products = PRODUCT_WORKSPACE_BYTES if self._uses_products else 0
        return self._peak_with_workspace - self.peak.live_bytes + products

    def note(self, tensor: torch.Tensor) -> None:
        """Count the tensor's storage from now on until it dies."""
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key in self._living:
            return
        self.live_bytes += size

        def bury(_: object) -> None:
            self.live_bytes -= size
            self._living.pop(key, None)

        self._living[key] = weakref.ref(storage, bury)

    def observe_peak(self, extra_bytes: int = 0) -> None:
        """Compare this moment, with `extra_bytes` beside the living storages, with the largest yet."""
        if self.live_bytes + extra_bytes > self.peak.live_bytes:
            self.peak = Peak(self.live_bytes + extra_bytes, *self.place, phase=self.phase)
        self._peak_with_workspace = max(self._peak_with_workspace, self.peak.live_bytes)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run one operation and count what it made."""
        kwargs = kwargs or {}
        output = _widen_statistics(func, list_operands(args, kwargs), func(*args, **kwargs))
        made = [tensor for _, tensor in iterate_tensors(output)]
        for tensor in made:
            self.note(tensor)
        if made and not self._is_accumulation(func, args):
            self.observe_peak()
            self._observe_workspace(func._schema.name.replace("::", "."), [*list_operands(args, kwargs), *made])
        return output

    def _is_accumulation(self, func: Any, args: tuple[Any, ...]) -> bool:
        """Whether autograd sums two gradients of one tensor, which it does in place where tensors are real."""
        return (
            self.phase == "backward"
            and func is torch.ops.aten.add.Tensor
            and isinstance(args[1], torch.Tensor)
            and args[0].shape == args[1].shape
        )

    def _observe_workspace(self, name: str, tensors: list[torch.Tensor]) -> None:
        operator = find_operator(name)
        if operator is None:
            return
        self._uses_products = self._uses_products or operator.kind == "product"
        if operator.kind == "recurrent":  # it keeps a reserve for backward whose size only the library knows
            self.uncounted[name] = None
        if operator.formula in ("convolution", "convolution backward"):
            copies = sum(tensor.numel() * tensor.element_size() for tensor in tensors if tensor.dim() > 1)
            self._peak_with_workspace = max(self._peak_with_workspace, self.live_bytes + copies)


def _widen_statistics(func: Any, operands: list[torch.Tensor], output: Any) -> Any:
    """The output as real kernels give it: float32 parameters beside narrow data have statistics in float32.

    Fake kernels give means and deviations the dtype of the data.
    """
    operator = find_operator(func._schema.name.replace("::", "."))
    if operator is None or operator.kind != "normalisation" or not isinstance(output, (tuple, list)):
        return output
    narrow = operands[0].dtype
    if narrow.itemsize != 2 or all(tensor.dtype != torch.float32 for tensor in operands[1:]):
        return output
    first, *statistics = output
    return (first, *(t.to(torch.float32) if t.dtype == narrow else t for t in statistics))


class SavedTensors:
    """What autograd saves while the block runs: unique storages, without those of `excluded` tensors."""

    def __init__(self, ledger: StorageLedger, excluded: Iterable[torch.Tensor]) -> None:
        self._ledger = ledger
        self._hooks = torch.autograd.graph.saved_tensors_hooks(self._pack, lambda tensor: tensor)
        self._excluded = {tensor.untyped_storage()._cdata for tensor in excluded}
        self._living: dict[int, weakref.ref[torch.UntypedStorage]] = {}
        self.total_bytes = 0
        self._by_place: dict[Place, int] = {}

    def __enter__(self) -> "SavedTensors":
        self._hooks.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._hooks.__exit__(*error)

    @property
    def layers(self) -> tuple[LayerMemory, ...]:
        """By the module that saved a storage first."""
        return tuple(LayerMemory(*place, saved) for place, saved in self._by_place.items())

    def _pack(self, tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key not in self._excluded and key not in self._living:
            # An address may be used again once its storage is dead, so the living ones are known by weak references.
            self._living[key] = weakref.ref(storage, lambda _: self._living.pop(key, None))
            self.total_bytes += size
            place = self._ledger.place
            self._by_place[place] = self._by_place.get(place, 0) + size
        return tensor
