"""What a reviewer would say of an observed module: findings of its record, and of further passes where need be."""

from dataclasses import replace

import torch
from torch import nn

from archscope.analysis.review import TOO_FEW, list_unused, review_trace
from archscope.core.trace import Trace
from archscope.tracing.devices import find_stranded
from archscope.tracing.mentions import list_mentioned
from archscope.tracing.modes import Inputs, Request, trace_request
from archscope.tracing.observe import Observation
from archscope.tracing.structure import map_tensors


def review_observation(request: Request, observation: Observation) -> Observation:
    """The observation, with the findings that its record and further passes give rise to."""
    trace = observation.trace
    unused = list_unused(trace)
    if unused and not trace.training and trace.mode != "real":
        # Auxiliary classifiers run in training mode alone: they are no dead branches.
        unused = tuple(sorted(set(unused) & set(list_unused(_train_once(request)))))
    mentioned = list_mentioned(observation.module, unused)
    stranded = find_stranded(request, observation.constants)
    findings = (*trace.findings, *stranded, *review_trace(trace, unused, mentioned))
    return replace(observation, trace=replace(trace, findings=findings))


def _train_once(request: Request) -> Trace:
    """A pass in training mode, on two of everything where BatchNorm asks for it."""
    trace = trace_request(replace(request, training=True)).trace
    if trace.failure is None or TOO_FEW not in trace.failure.message:
        return trace

    def double(module: nn.Module, device: torch.device) -> Inputs:
        inputs: Inputs = map_tensors(request.inputs(module, device), lambda tensor: torch.cat((tensor, tensor)))
        return inputs

    return trace_request(replace(request, training=True, inputs=double)).trace
