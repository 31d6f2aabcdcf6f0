"""Which plain tensors a move to another device leaves behind: seen by running forward on fake tensors of two devices.

Fake tensors have a device without needing one. The copy of the module is put on `cuda` as `.to` would put it, and all
else with it but the one tensor in question.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from archscope.core.errors import read_message
from archscope.core.finding import Finding
from archscope.modules import set_training
from archscope.tracing.construction import construct_on_meta
from archscope.tracing.executors import MetaExecutor, check_strided
from archscope.tracing.holdings import Holding, find_holdings
from archscope.tracing.isolation import keep_random_state, quiet_fake_tensors, without_compilation
from archscope.tracing.meta_copy import copy_module
from archscope.tracing.modes import Request
from archscope.tracing.structure import map_tensors

MOST_TRIED = 6
"""Kinds of tensors that are tried; one of each attribute of each class."""
MIXED = ("two devices", "two different devices")
"""Of fake tensors on two devices; texts of torch 2.13 and 2.14."""


def find_stranded(request: Request, places: Iterable[str]) -> tuple[Finding, ...]:
    """Findings on those plain tensors at `places` with which forward fails once the module is on another device.

    None where forward does not run on fake tensors of one other device, for whatever reason: nothing is shown then.
    """
    wanted = set(places)
    if not wanted:
        return ()
    module = request.source.instance or construct_on_meta(_get_builder(request), MetaExecutor())
    holdings = [holding for holding in find_holdings(module) if any(held.place in wanted for held in holding.tensors)]
    kinds: dict[tuple[str, str], list[Holding]] = {}
    for holding in holdings:
        kinds.setdefault((holding.owner, holding.place.rpartition(".")[2]), []).append(holding)
    if len(kinds) > MOST_TRIED or _run(request, module, frozenset()) is not None:
        return ()
    findings = []
    for (owner, name), alike in kinds.items():
        left = frozenset(id(held.value) for holding in alike for held in holding.tensors if held.place in wanted)
        error = _run(request, module, left)
        if error is not None and any(text in read_message(error) for text in MIXED):
            subject = alike[0].place if len(alike) == 1 else f"{name} of each {owner} ({len(alike)} of them)"
            findings.append(_build_finding(subject, alike[0], name))
    return tuple(findings)


def _build_finding(subject: str, holding: Holding, name: str) -> Finding:
    what = f"{subject}, {holding.words}, holds a tensor" if holding.container else f"{subject} is a plain tensor"
    return Finding(
        severity="warning",
        code="unregistered-buffer",
        message=f"{what} that .to() leaves on its device: forward fails once the model has moved",
        place=holding.place,
        expected="a buffer",
        measured="a plain tensor",
        remedy="register each with self.register_buffer(name, ...), or as nn.Parameter where it is learned"
        if holding.container
        else f"self.register_buffer({name!r}, ...), or nn.Parameter where it is learned",
    )


def _run(request: Request, module: nn.Module, left: frozenset[int]) -> Exception | None:
    """What forward raises with everything on fake CUDA tensors but those whose identities are `left`."""
    fake = FakeTensorMode(allow_non_fake_inputs=True)

    def convert(tensor: torch.Tensor) -> torch.Tensor:
        check_strided(tensor)
        device = "cpu" if id(tensor) in left else "cuda"
        with fake:
            return torch.empty_strided(tensor.size(), tensor.stride(), dtype=tensor.dtype, device=device)

    try:
        with without_compilation(), torch.inference_mode(False), torch.no_grad(), keep_random_state():
            copied, _ = copy_module(module, convert)
            if request.training is not None:
                set_training(copied, request.training)
            args, kwargs = map_tensors(request.inputs(copied, torch.device("meta")), convert)
            with quiet_fake_tensors(), fake:
                copied(*args, **kwargs)
    except Exception as error:  # noqa: BLE001  whatever it is, it is judged by the caller
        return error
    return None


def _get_builder(request: Request) -> Any:
    return request.source.build
