"""What a training step or an inference of a batch needs, in bytes, predicted without allocating it.

The step runs on fake CPU tensors: forward, loss and backward as torch runs them, storages with sizes and without
memory. The optimizer's step is arithmetic. What autograd saves equals a real step on the CPU, byte for byte, under
autocast too; CUDA's fused kernels save less here and there (masks of one byte per element for dropout), and its
autocast keeps more in float32 (softmax and norms).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional

from archscope.analysis.memory import MemoryPrediction, find_optimizer
from archscope.core.errors import ModelError, pass_interrupt, read_message
from archscope.machine.precision import autocast, find_weight_dtype
from archscope.memory.ledger import SavedTensors, StorageLedger
from archscope.modules import clear_gradients, iterate_buffers, iterate_parameters, set_training
from archscope.tracing.calls import hide_calls
from archscope.tracing.construction import construct_on_meta
from archscope.tracing.executors import VALUE_ERRORS, MetaExecutor
from archscope.tracing.isolation import keep_random_state, quiet_fake_tensors, without_compilation
from archscope.tracing.meta_copy import copy_module
from archscope.tracing.modes import Inputs, Source
from archscope.tracing.structure import iterate_tensors, map_tensors

MakeInputs = Callable[[nn.Module, torch.device], Inputs]
"""Makes the arguments of forward, tensors on the given device, for the built module."""


def predict_memory(
    build: Callable[[], nn.Module], inputs: MakeInputs, *, train: bool, optimizer: str = "sgd", dtype: str = "fp32"
) -> MemoryPrediction:
    """Predict what the module that `build` makes needs for these inputs, without allocating it.

    `optimizer` is sgd, momentum, adam or adamw; it matters where `train`. `dtype` is a word of `--dtype`. Raises
    UnknownNameError for another optimizer, ModelError where forward raises or needs the values of its tensors.
    """
    return FakeModel(Source(build=build), dtype).predict(inputs, train=train, optimizer=optimizer)


class FakeModel:
    """A module on fake CPU tensors, built once and asked for as many batches as are wanted."""

    def __init__(self, source: Source, dtype: str = "fp32") -> None:
        """An instance is copied and left as it is. What the constructor raises passes through."""
        self._dtype = dtype
        self._mode = FakeTensorMode(allow_non_fake_inputs=True)
        if source.instance is not None:
            blank = source.instance
        else:
            assert source.build is not None, "a source has a constructor or an instance"
            blank = construct_on_meta(source.build, MetaExecutor())
        self._narrow = find_weight_dtype(dtype)
        state = {id(tensor) for tensor in (*iterate_parameters(blank), *iterate_buffers(blank))}
        self.module, self.notes = copy_module(
            blank, lambda tensor: self._convert_state(tensor) if id(tensor) in state else self._convert(tensor)
        )

    def predict(self, inputs: MakeInputs, *, train: bool, optimizer: str = "sgd") -> MemoryPrediction:
        """What one pass over `inputs` needs; see `predict_memory`."""
        traits = find_optimizer(optimizer)
        module = set_training(self.module, train)
        args, kwargs = map_tensors(inputs(module, torch.device("meta")), self._convert_state)
        parameters = {id(tensor): tensor for tensor in iterate_parameters(module)}
        buffers = {id(tensor): tensor for tensor in iterate_buffers(module)}
        state = [*parameters.values(), *buffers.values()]
        trainable = sum(_count_bytes(tensor) for tensor in parameters.values() if tensor.requires_grad)
        kept = traits.state * trainable if train else 0
        ledger = StorageLedger(module, [*state, *(tensor for _, tensor in iterate_tensors((args, kwargs)))], kept)
        saved = SavedTensors(ledger, state)
        gradients = 0
        try:
            with _isolate_pass(), torch.set_grad_enabled(train), self._mode, ledger:
                with autocast(torch.device("cpu"), self._dtype):
                    output = _run_forward(ledger, saved, (args, kwargs))
                    loss = _find_loss(output) if train else None
                if loss is not None:
                    _run_backward(loss, ledger)
                    del loss
                    gradients = sum(_count_bytes(t.grad) for t in parameters.values() if t.grad is not None)
                    ledger.phase = "optimizer"
                    ledger.observe_peak(traits.temporary * gradients)
        finally:
            clear_gradients(module)
        return MemoryPrediction(
            parameter_bytes=sum(map(_count_bytes, parameters.values())),
            buffer_bytes=sum(map(_count_bytes, buffers.values())),
            gradient_bytes=gradients,
            optimizer_bytes=kept,
            saved_activation_bytes=saved.total_bytes,
            peak_bytes=ledger.peak.live_bytes,
            workspace_bytes=ledger.workspace_bytes,
            deciding_layer=ledger.peak.path,
            deciding_type=ledger.peak.type,
            phase=ledger.peak.phase,
            layers=saved.layers,
            uncounted=tuple(ledger.uncounted),
        )

    def _convert_state(self, tensor: torch.Tensor) -> torch.Tensor:
        """Of a parameter, buffer or input: narrow where the weights are to be held so."""
        return self._convert(tensor, self._narrow if tensor.is_floating_point() else None)

    def _convert(self, tensor: torch.Tensor, dtype: torch.dtype | None = None) -> torch.Tensor:
        with self._mode:
            return torch.empty_strided(tensor.size(), tensor.stride(), dtype=dtype or tensor.dtype, device="cpu")


def _run_forward(ledger: StorageLedger, saved: SavedTensors, inputs: Inputs) -> Any:
    args, kwargs = inputs
    try:
        with saved:
            return ledger.call_root(args, dict(kwargs))
    except BaseException as error:
        pass_interrupt(error)
        raise ModelError(f"forward raised {type(error).__name__}: {read_message(error)}", _advise(error)) from error


def _advise(error: BaseException) -> str:
    if isinstance(error, VALUE_ERRORS):
        return "forward reads the values of its tensors, and memory is predicted without values"
    return ""


def _find_loss(output: Any) -> torch.Tensor | None:
    """Cross-entropy of scores (N, classes), the sum of anything else; None where nothing needs a gradient."""
    found = [t for _, t in iterate_tensors(output) if t.requires_grad and t.dtype.is_floating_point]
    losses = [_judge(tensor) for tensor in found]
    if len(losses) < 2:
        return losses[0] if losses else None
    return torch.stack(losses).sum()


def _run_backward(loss: torch.Tensor, ledger: StorageLedger) -> None:
    ledger.phase = "backward"
    try:
        loss.backward()  # type: ignore[no-untyped-call]
    except BaseException as error:
        pass_interrupt(error)
        raise ModelError(f"backward raised {type(error).__name__}: {read_message(error)}") from error


def _judge(tensor: torch.Tensor) -> torch.Tensor:
    if tensor.dim() == 2:
        return functional.cross_entropy(tensor, torch.zeros(tensor.shape[0], dtype=torch.int64))
    return tensor.sum()


def _count_bytes(tensor: torch.Tensor) -> int:
    return tensor.numel() * tensor.element_size()


@contextmanager
def _isolate_pass() -> Iterator[None]:
    """No inference mode, no compilation, no log of the fake tensors' errors; random state put back."""
    with quiet_fake_tensors(), torch.inference_mode(False), keep_random_state(), hide_calls(), without_compilation():
        yield
