"""Which operations wrote to a storage, so that what another view of it reads afterwards is known to come from them."""

import weakref
from typing import NamedTuple

import torch


class Write(NamedTuple):
    """One operation that wrote to a part of a storage."""

    op: int
    """Its index."""
    value: int
    """Number of the value that it wrote."""
    start: int
    end: int
    """The bytes of the storage between which it wrote."""


class WriteLog:
    """The writes to each storage that lives, in their order; what is overwritten as a whole is forgotten."""

    def __init__(self) -> None:
        self._writes: dict[int, list[Write]] = {}
        self._watched: dict[int, weakref.ref[torch.UntypedStorage]] = {}
        self.last = -1
        """Index of the last operation that wrote."""

    def note(self, tensor: torch.Tensor, index: int, value: int) -> None:
        """Operation `index` wrote `value` to the tensor."""
        self.last = index
        if not _has_storage(tensor):
            return
        storage = tensor.untyped_storage()
        key = storage._cdata
        start, end = _find_extent(tensor)
        if key not in self._watched:
            self._watched[key] = weakref.ref(storage, lambda _: self._forget(key))
        covered = end - start == tensor.numel() * tensor.element_size()
        kept = [old for old in self._writes.get(key, ()) if not (covered and start <= old.start and old.end <= end)]
        self._writes[key] = [*kept, Write(index, value, start, end)]

    def find(self, tensor: torch.Tensor, since: int, seen: torch.Tensor | None = None) -> list[Write]:
        """Writes after operation `since` to what the tensor, or of it the view `seen`, looks at."""
        try:
            writes = self._writes.get(tensor.untyped_storage()._cdata)
        except NotImplementedError:  # sparse
            return []
        if writes is None or writes[-1].op <= since:
            return []
        start, end = _find_extent(tensor if seen is None else seen)
        return [write for write in writes if write.op > since and write.start < end and start < write.end]

    def _forget(self, key: int) -> None:
        self._writes.pop(key, None)
        self._watched.pop(key, None)


def _has_storage(tensor: torch.Tensor) -> bool:
    return tensor.layout is torch.strided and not tensor.is_nested


def _find_extent(tensor: torch.Tensor) -> tuple[int, int]:
    """The bytes of its storage between which the tensor lies."""
    size = tensor.element_size()
    start = int(tensor.storage_offset()) * size
    if 0 in tensor.shape:
        return start, start
    span = sum((length - 1) * stride for length, stride in zip(tensor.shape, tensor.stride(), strict=True)) + 1
    return start, start + int(span) * size
