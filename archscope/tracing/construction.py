"""Builds a module on meta, without memory and without initialisation.

Constructors read values now and then (stochastic depth rates out of `torch.linspace(...)`, index tables): small
constants are computed beside the meta tensors, as in a traced forward pass, and stay known to it.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from archscope.modules import iterate_modules
from archscope.tracing.calls import hide_calls
from archscope.tracing.constants import ReadConstants
from archscope.tracing.executors import MetaExecutor
from archscope.tracing.isolation import keep_random_state
from archscope.tracing.operators import describe_operator
from archscope.tracing.structure import iterate_tensors


class _RunOnMeta(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sends every operation of a constructor to meta."""

    supports_higher_order_operators = True

    def __init__(self, executor: MetaExecutor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._executor = executor

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        args, kwargs = self._executor.prepare(args, kwargs or {})
        return self._executor.run(func, describe_operator(func), args, kwargs)


class _SkipInitialisation(TorchFunctionMode):
    """Lets the functions of `torch.nn.init` return at once."""

    def __init__(self, executor: MetaExecutor) -> None:
        super().__init__()
        self._constants = executor.constants

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__module__", None) == "torch.nn.init":
            for _, tensor in iterate_tensors((args, kwargs)):
                if tensor.device.type == "meta":
                    self._constants.forget(tensor)
                    return tensor
        return func(*args, **kwargs)


def construct_on_meta(build: Callable[[], nn.Module], executor: MetaExecutor) -> nn.Module:
    """Run `build` so that every tensor it makes is on meta; constants stay known to `executor`.

    Random states are as before afterwards. What `build` raises passes through.
    """
    with keep_random_state(), hide_calls(), torch.inference_mode(False), torch.no_grad():
        with ReadConstants(executor.constants), _SkipInitialisation(executor), _RunOnMeta(executor):
            module = build()
        _move_leftovers(module, executor)
    return module


def _move_leftovers(module: nn.Module, executor: MetaExecutor) -> None:
    """Put on meta what came from elsewhere (NumPy, files): the module is ours, nobody else holds it."""
    for part in iterate_modules(module):
        groups: tuple[dict[str, Any], ...] = (part._parameters, part._buffers)
        for registered in groups:
            for name, tensor in registered.items():
                if tensor is None or tensor.device.type == "meta":
                    continue
                stand_in = executor.stand_in(tensor)
                if isinstance(tensor, nn.Parameter):
                    stand_in = nn.Parameter(stand_in, requires_grad=tensor.requires_grad)
                registered[name] = stand_in
