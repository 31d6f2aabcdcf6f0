"""The live module of a target with its inputs, on meta or in real memory, for other tools to run.

Each tool gets a module of its own: some leave hooks or attributes behind.
"""

import copy
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from archscope.core.words import TraceOptions
from archscope.modules import call_method, is_training, set_training
from archscope.observation import Observed, observe_target
from archscope.targets.inputs import make_arguments
from archscope.targets.resolve import resolve_target
from archscope.tracing.construction import construct_on_meta
from archscope.tracing.executors import MetaExecutor
from archscope.tracing.isolation import keep_random_state, read_free_memory
from archscope.tracing.structure import map_tensors

SHARE_OF_MEMORY = 4
"""A model runs for real where its parameters take at most this part of the free memory: 1/4."""


class NoRoomError(Exception):
    """The model is too large to be run for real here; the message is the reason."""


@dataclass(frozen=True, slots=True)
class Runnable:
    """A module and the arguments of its forward."""

    module: nn.Module
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    def by_position(self) -> tuple[nn.Module, tuple[Any, ...]]:
        """The same for tools that pass arguments by position only."""
        if not self.kwargs:
            return self.module, self.args
        return _Positional(self.module, len(self.args), tuple(self.kwargs)), (*self.args, *self.kwargs.values())


class _Positional(nn.Module):
    """Passes on by keyword what a tool gives by position."""

    def __init__(self, inner: nn.Module, positions: int, names: tuple[str, ...]) -> None:
        super().__init__()
        self.inner = inner
        self.train(is_training(inner))
        self._positions = positions
        self._names = names

    def forward(self, *values: Any) -> Any:
        """The inner module's output; values are its positional arguments, then those by keyword."""
        named = dict(zip(self._names, values[self._positions :], strict=True))
        return self.inner(*values[: self._positions], **named)


class RunnableTarget:
    """One target, traced once, and built afresh for every tool."""

    def __init__(self, text: str, options: TraceOptions) -> None:
        self._options = options
        self._target = resolve_target(text, options.arguments)
        self.observed: Observed = observe_target(text, options)
        """Our own count. A forward pass that failed has none worth comparing: see `observed.error`."""

    def hold_scope(self) -> AbstractContextManager[None]:
        """What the target's forward sees while it runs."""
        return self._target.scope()

    def build(self, place: str) -> Runnable:
        """The module on `meta` or `cpu`. Raises NoRoomError, and what the constructor raises."""
        device = torch.device(place)
        if place == "cpu":
            self._check_room()
        with keep_random_state():
            module = self._construct(place)
            set_training(module, self.observed.trace.training)
            inputs = make_arguments(self._target, module, self.observed.specs, device)
            args, kwargs = map_tensors(inputs, lambda tensor: tensor.to(device))
        return Runnable(module, args, dict(kwargs))

    def _construct(self, place: str) -> nn.Module:
        if self._target.is_instance:
            moved: nn.Module = call_method(copy.deepcopy(self._target.build()), "to", place)
            return moved
        if place == "meta":
            return construct_on_meta(self._target.build, MetaExecutor())
        with torch.device(place):
            return self._target.build()

    def _check_room(self) -> None:
        needed = self.observed.trace.totals.param_bytes
        free = read_free_memory()
        if needed * SHARE_OF_MEMORY > free:
            raise NoRoomError(f"its parameters need {needed:,} bytes, and {free:,} are free")
