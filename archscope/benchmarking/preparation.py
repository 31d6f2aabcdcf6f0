"""A target as a workload on its device, with the precision, the memory format and the batch that were asked for."""

from dataclasses import dataclass

import torch
from torch import nn

from archscope.benchmarking.options import StepOptions, Variant
from archscope.benchmarking.workload import ModelWorkload
from archscope.core.errors import ArchscopeError
from archscope.core.words import InputSpec, TraceOptions
from archscope.machine.device import find_device
from archscope.modules import call_method, set_training
from archscope.observation import Observed, observe_target, settle_inputs
from archscope.targets.inputs import make_arguments
from archscope.targets.target import Target
from archscope.tracing.structure import iterate_tensors, map_tensors
from archscope.training.classifier import copy_module


@dataclass(frozen=True, slots=True)
class BenchTarget:
    """What is benchmarked: a target with its inputs and how its step is made."""

    target: Target
    specs: tuple[InputSpec, ...]
    step: StepOptions

    @property
    def training(self) -> bool:
        """Whether backward and the optimizer's step are timed too."""
        return not self.step.inference


def settle_specs(target: Target, specs: tuple[InputSpec, ...]) -> tuple[InputSpec, ...]:
    """The inputs as the model takes them; as they are where it cannot be built, which is told when it is prepared."""
    try:
        return settle_inputs(target, TraceOptions(inputs=specs))
    except ArchscopeError:
        return specs


def prepare_workload(bench_target: BenchTarget, variant: Variant, batch: int | None) -> ModelWorkload:
    """Build the module on the device and its inputs with that batch (None: as they are).

    Raises TargetError where it cannot be built, UsageError where its inputs are unknown, and what torch raises where
    the device's memory is too small.
    """
    device = find_device(variant.device)
    module = set_training(build_on(bench_target.target, device), bench_target.training)
    args, kwargs = make_arguments(bench_target.target, module, bench_target.specs, device, batch)
    if bench_target.step.channels_last:
        call_method(module, "to", memory_format=torch.channels_last)
        args = map_tensors(args, _to_channels_last)
        kwargs = map_tensors(dict(kwargs), _to_channels_last)
    workload = ModelWorkload(module, (args, kwargs), variant.dtype)
    if bench_target.step.compiled:
        workload.compile()
    return workload


def build_on(target: Target, device: torch.device) -> nn.Module:
    """The module on the device, built there where that is not the CPU, so that initialising it is quick."""
    with device:
        module = target.build()
    moved: nn.Module = call_method(copy_module(module) if target.is_instance else module, "to", device)
    return moved


def find_batch(workload: ModelWorkload) -> int:
    """The first size of the first input; 1 where it has none."""
    for _, tensor in iterate_tensors(workload.inputs):
        return int(tensor.shape[0]) if tensor.dim() else 1
    return 1


def observe_bench_target(bench_target: BenchTarget, batch: int) -> Observed:
    """The trace of the forward pass that is timed."""
    target = bench_target.target
    options = TraceOptions(target.arguments, bench_target.specs, bench_target.training, batch=batch)
    return observe_target(target.text, options)


def _to_channels_last(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.contiguous(memory_format=torch.channels_last) if tensor.dim() == 4 else tensor
