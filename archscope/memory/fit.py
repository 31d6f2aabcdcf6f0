"""How much memory a batch of a target needs, and the largest batch that fits into a given amount."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn

from archscope.analysis.memory import BatchSearch, MemoryPrediction, find_largest_batch, find_optimizer
from archscope.core.documents.fit import FitDtype
from archscope.core.errors import ModelError, UsageError
from archscope.core.progress import Stage, show_stage
from archscope.core.reserve import Reserve
from archscope.core.words import InputSpec, TraceOptions
from archscope.memory.predict import FakeModel
from archscope.memory.saved import SavedTarget
from archscope.observation import settle_inputs
from archscope.targets.inputs import change_batch, choose_inputs, list_shapes, make_arguments
from archscope.targets.resolve import resolve_target
from archscope.targets.target import Target
from archscope.tracing.modes import Inputs, Source


@dataclass(frozen=True, slots=True)
class FitRequest:
    """What is asked."""

    target: str
    memory_bytes: int | None = None
    """None: no limit, only what `batch` needs."""
    batch: int | None = None
    """None: search the largest that fits."""
    train: bool = False
    optimizer: str = "sgd"
    dtype: FitDtype = "fp32"
    reserve: Reserve = field(default_factory=Reserve)
    inputs: tuple[InputSpec, ...] = ()
    arguments: Mapping[str, Any] = field(default_factory=dict)
    saved: SavedTarget | None = None
    """The trace that names the target and its inputs; None where words do."""


@dataclass(frozen=True, slots=True)
class Fit:
    """The answer."""

    request: FitRequest
    target: Target
    training: bool
    batch: int
    """The batch that `prediction` is for: the one asked for, the largest that fits, or the smallest where none does."""
    prediction: MemoryPrediction
    shapes: tuple[tuple[int, ...], ...]
    """Of the inputs at that batch."""
    largest: int | None = None
    """The largest batch that fits; 0 where none does; None where one batch was asked for."""
    next_needed_bytes: int | None = None
    """What one image more would need, workspace included and the reserve not, where a search found its end."""
    notes: tuple[str, ...] = ()

    @property
    def fits(self) -> bool | None:
        """Whether `batch` fits the memory beside the reserve; None where no memory was named."""
        limit = self.request.memory_bytes
        return None if limit is None else self.whole_bytes <= limit

    @property
    def reserve_bytes(self) -> int:
        """What is kept free of the memory; where none was named, of the least memory that `batch` fits in."""
        reserve, limit = self.request.reserve, self.request.memory_bytes
        return reserve.find_bytes(reserve.find_memory(self.prediction.total_bytes) if limit is None else limit)

    @property
    def whole_bytes(self) -> int:
        """What is needed and what is reserved."""
        return self.prediction.total_bytes + self.reserve_bytes


def find_fit(request: FitRequest) -> Fit:
    """Predict the batch asked for, or search the largest one that fits.

    Raises UsageError where neither memory nor batch is named, ModelError where forward raises at the smallest batch,
    and what finding and building the target raise.
    """
    if request.memory_bytes is None and request.batch is None:
        raise UsageError("neither a memory nor a batch is given", "add --memory 16GiB, or --batch 64 to see its needs")
    find_optimizer(request.optimizer)
    saved = request.saved
    target = resolve_target(request.target, request.arguments) if saved is None else saved.resolve()
    if saved is None:
        options = TraceOptions(inputs=request.inputs, train=request.train)
        request = replace(request, inputs=settle_inputs(target, options))
    source = Source(instance=target.build()) if target.is_instance else Source(build=target.build)
    model = FakeModel(source, request.dtype)
    if saved is not None:
        saved.check(model.module)
        known = target.default_inputs(model.module) if target.default_inputs is not None else ()
        notes = (*target.notes, f"{target.text} is built again, as {saved.name} names it")
        target, request = replace(target, notes=notes), replace(request, inputs=saved.list_inputs(known))
    with target.scope(), show_stage("predicting memory", unit="predictions") as stage:
        probe = _Probe(target, model, request, stage)
        return probe.answer(request.batch) if request.batch is not None else probe.search()


class _Probe:
    """Asks one fake model about batches, and remembers the answers."""

    def __init__(self, target: Target, model: FakeModel, request: FitRequest, stage: Stage) -> None:
        self._target, self._model, self._request, self._stage = target, model, request, stage
        self._train = request.train
        self._known: dict[int, MemoryPrediction] = {}

    def predict(self, batch: int) -> MemoryPrediction:
        """What one batch needs. Raises ModelError."""
        if batch not in self._known:
            self._tell(batch)

            def inputs(module: nn.Module, device: torch.device) -> Inputs:
                return make_arguments(self._target, module, self._request.inputs, device, batch)

            self._known[batch] = self._model.predict(inputs, train=self._train, optimizer=self._request.optimizer)
            self._stage.done += 1
        return self._known[batch]

    def _tell(self, batch: int) -> None:
        """Which batch is being tried, and between which the largest that fits must lie."""
        limit = self._request.memory_bytes
        self._stage.detail = f"batch {batch:,}"
        if limit is not None and self._request.batch is None and self._known:
            limit -= self._request.reserve.find_bytes(limit)
            low = max((size for size, need in self._known.items() if need.total_bytes <= limit), default=0)
            high = min((size for size, need in self._known.items() if need.total_bytes > limit), default=None)
            self._stage.detail += f": more than {low:,}" + ("" if high is None else f", fewer than {high:,}")

    def answer(self, batch: int, search: BatchSearch | None = None, notes: tuple[str, ...] = ()) -> Fit:
        """The answer for one batch."""
        prediction = self.predict(batch)
        chosen = change_batch(choose_inputs(self._target, self._model.module, self._request.inputs), batch)
        above = self._known.get(batch + 1) if search is not None and search.largest else None
        return Fit(
            request=self._request,
            target=self._target,
            training=self._train,
            batch=batch,
            prediction=prediction,
            shapes=list_shapes(chosen),
            largest=None if search is None else search.largest,
            next_needed_bytes=None if above is None else above.total_bytes,
            notes=(*self._target.notes, *self._model.notes, *notes),
        )

    def search(self) -> Fit:
        """The answer for the largest batch that fits."""
        limit = self._request.memory_bytes
        assert limit is not None, "checked by find_fit"
        available = limit - self._request.reserve.find_bytes(limit)
        smallest, notes = self._find_smallest()
        found = find_largest_batch(lambda batch: self.predict(batch).total_bytes, available, smallest=smallest)
        if not found.bounded:
            notes = (*notes, "the search ends at this batch; a larger one may fit too")
        return self.answer(found.largest or smallest, found, notes)

    def _find_smallest(self) -> tuple[int, tuple[str, ...]]:
        """1; 2 where forward refuses a single image (BatchNorm over one value per channel)."""
        try:
            self.predict(1)
        except ModelError as error:
            try:
                self.predict(2)
            except ModelError:
                raise error from None
            return 2, (f"batch 1 does not run: {error.message}",)
        return 1, ()
