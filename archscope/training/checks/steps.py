"""Three training steps go in; what reached each parameter, and what moved, comes out."""

from dataclasses import dataclass

import torch

from archscope.training.checks.start import Start
from archscope.training.checks.subject import Candidate, keep_dropout_off
from archscope.training.checks.trial import make_trial_optimizer

STEPS = 3
NEGLIGIBLE = 1e-8
"""A gradient so small that a float32 weight may swallow the step."""


@dataclass(frozen=True, slots=True)
class ParameterStatus:
    """One parameter after three steps."""

    name: str
    owner: str
    """Path of the module that holds it."""
    trainable: bool
    """Whether it requires a gradient."""
    had_gradient: bool
    """Whether autograd gave it any, zero or not."""
    largest_gradient: float
    """Over the three steps: branches that start at zero are reached from the second on."""
    moved: bool
    held: bool
    """Whether the optimizer holds it."""


@dataclass(frozen=True, slots=True)
class Steps:
    """What three steps did."""

    fates: tuple[ParameterStatus, ...]
    order: tuple[str, ...]
    """Paths of the layers without children, in the order of their first calls."""
    differentiable: bool
    """Whether the loss depends on any parameter as autograd sees it."""


def take_steps(subject: Candidate, start: Start) -> Steps:
    """Train on the batch three times, dropout off; the subject keeps what it learned. Raises ModelError."""
    parameters = dict(subject.module.named_parameters())
    before = {name: parameter.detach().clone() for name, parameter in parameters.items()}
    largest = dict.fromkeys(parameters, 0.0)
    reached = dict.fromkeys(parameters, False)
    optimizer = make_trial_optimizer(subject)
    differentiable = True
    with keep_dropout_off(subject.module):
        for _ in range(STEPS):
            subject.module.zero_grad(set_to_none=True)
            loss = subject.find_loss()
            if not loss.requires_grad:
                differentiable = False
                break
            loss.backward()  # type: ignore[no-untyped-call]
            for name, parameter in parameters.items():
                if parameter.grad is not None:
                    reached[name] = True
                    largest[name] = max(largest[name], float(parameter.grad.abs().max()))
            if optimizer is not None:
                optimizer.step()
    subject.module.zero_grad(set_to_none=True)
    held = subject.list_trained()
    fates = tuple(
        ParameterStatus(
            name=name,
            owner=name.rpartition(".")[0],
            trainable=parameter.requires_grad,
            had_gradient=reached[name],
            largest_gradient=largest[name],
            moved=not torch.equal(before[name], parameter.detach()),
            held=name in held,
        )
        for name, parameter in parameters.items()
    )
    return Steps(fates, tuple(dict.fromkeys(layer.path for layer in start.seen.layers)), differentiable)
