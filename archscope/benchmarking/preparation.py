"""A target in words, a variant and a batch go in; a workload on its device comes out."""

from dataclasses import dataclass

import torch
from torch import nn

from archscope.benchmarking.machine import find_device
from archscope.benchmarking.options import StepOptions, Variant
from archscope.benchmarking.workload import ModelWorkload
from archscope.core.words import InputSpec, TraceOptions
from archscope.observation import Observed, observe_target
from archscope.targets.inputs import choose_inputs, make_arguments
from archscope.targets.target import Target
from archscope.tracing.structure import iterate_tensors, map_tensors
from archscope.training.classifier import copy_module


@dataclass(frozen=True, slots=True)
class BenchTarget:
    """What is benched: a target with its inputs and how its step is made."""

    target: Target
    specs: tuple[InputSpec, ...]
    step: StepOptions

    @property
    def training(self) -> bool:
        """Whether backward and the optimizer's step are timed too."""
        return not self.step.inference


def prepare_workload(subject: BenchTarget, variant: Variant, batch: int | None) -> ModelWorkload:
    """Build the module on the device and its inputs with that batch (None: as they are).

    Raises TargetError where it cannot be built, UsageError where nobody knows its inputs, and what torch raises where
    the device's memory is too small.
    """
    device = find_device(variant.device)
    module = build_on(subject.target, device).train(subject.training)
    specs = rebatch(subject.target, module, subject.specs, batch)
    args, kwargs = make_arguments(subject.target, module, specs, device)
    if subject.step.channels_last:
        module = module.to(memory_format=torch.channels_last)
        args = map_tensors(args, _to_channels_last)
        kwargs = map_tensors(dict(kwargs), _to_channels_last)
    workload = ModelWorkload(module, (args, kwargs), variant.dtype)
    if subject.step.compiled:
        workload.compile()
    return workload


def build_on(target: Target, device: torch.device) -> nn.Module:
    """The module on the device, built there where that is not the CPU, so that initialising it is quick."""
    with device:
        module = target.build()
    return (copy_module(module) if target.is_instance else module).to(device)


def rebatch(
    target: Target, module: nn.Module, specs: tuple[InputSpec, ...], batch: int | None
) -> tuple[InputSpec, ...]:
    """The inputs with `batch` as the first size of each; those of one list become that many."""
    if batch is None:
        return specs
    seen: set[str] = set()
    changed = []
    for item in choose_inputs(target, module, specs):
        if item.group is None:
            changed.append(InputSpec(item.name, (batch, *item.shape[1:]), item.dtype))
        elif item.group not in seen:
            seen.add(item.group)
            changed.append(InputSpec(item.name, (batch, *item.shape), item.dtype))
    return tuple(changed)


def find_batch(workload: ModelWorkload) -> int:
    """The first size of the first input; 1 where it has none."""
    for _, tensor in iterate_tensors(workload.inputs):
        return int(tensor.shape[0]) if tensor.dim() else 1
    return 1


def observe_subject(subject: BenchTarget, batch: int | None) -> Observed:
    """The trace of the forward pass that is timed."""
    target = subject.target
    specs = subject.specs
    if batch is not None:
        with torch.device("meta"):
            specs = rebatch(target, target.build(), specs, batch) if not target.is_instance else specs
    options = TraceOptions(arguments=target.arguments, inputs=specs, train=subject.training)
    return observe_target(target.text, options)


def _to_channels_last(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.contiguous(memory_format=torch.channels_last) if tensor.dim() == 4 else tensor
