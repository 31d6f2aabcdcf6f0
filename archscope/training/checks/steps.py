"""Three training steps: does a gradient reach every parameter, and does the optimizer move each?

One step would not do: branches whose last scale starts at zero get no gradient in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from archscope.core.finding import Finding
from archscope.core.progress import track
from archscope.modules import clear_gradients, name_parameters
from archscope.training.checks.candidate import Candidate, keep_dropout_off
from archscope.training.checks.learning import make_trial_optimizer
from archscope.training.checks.start import Start
from archscope.training.evaluation import run_model

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

    statuses: tuple[ParameterStatus, ...]
    order: tuple[str, ...]
    """Paths of the layers without children, in the order of their first calls."""
    differentiable: bool
    """Whether the loss depends on any parameter as autograd sees it."""


def take_steps(candidate: Candidate, start: Start) -> Steps:
    """Train on the batch three times, dropout off; the candidate keeps what it learned. Raises ModelError."""
    parameters = dict(name_parameters(candidate.module))
    before = {name: parameter.detach().clone() for name, parameter in parameters.items()}
    largest = dict.fromkeys(parameters, 0.0)
    reached = dict.fromkeys(parameters, False)
    optimizer = make_trial_optimizer(candidate)
    differentiable = True
    with keep_dropout_off(candidate.module):
        for _ in track(range(STEPS), "first steps", "steps"):
            clear_gradients(candidate.module)
            loss = candidate.find_loss()
            if not loss.requires_grad:
                differentiable = False
                break
            run_model(loss.backward)
            for name, parameter in parameters.items():
                if parameter.grad is not None:
                    reached[name] = True
                    largest[name] = max(largest[name], float(parameter.grad.abs().max()))
            if optimizer is not None:
                optimizer.step()
    clear_gradients(candidate.module)
    held = candidate.list_trained()
    statuses = tuple(
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
    return Steps(statuses, tuple(dict.fromkeys(layer.path for layer in start.seen.layers)), differentiable)


def check_gradients(steps: Steps) -> list[Finding]:
    """Parameters that no gradient reaches: behind a cut in the graph, never used, or behind what is dead."""
    if not steps.differentiable:
        return [
            Finding(
                severity="error",
                code="no-gradient",
                message="the loss does not depend on any parameter: nothing can be learned",
                expected="a loss that requires a gradient",
                measured="a loss without one",
                remedy="look for detach(), .data, .item(), numpy and torch.no_grad() in forward, or frozen parameters",
            )
        ]
    unreached = [status for status in steps.statuses if status.trainable and not status.largest_gradient > 0]
    unused = [status for status in unreached if status.owner not in steps.order and not status.had_gradient]
    cut = [status for status in unreached if status not in unused]
    return [*_tell_unused(unused, steps), *_tell_cut(cut, steps), *_tell_frozen(steps)]


def _tell_unused(unused: Sequence[ParameterStatus], steps: Steps) -> list[Finding]:
    if not unused:
        return []
    return [
        Finding(
            severity="error",
            code="unused-parameters",
            message=f"forward never uses {_describe_owners(unused)}",
            place=unused[0].owner or unused[0].name,
            expected="every parameter takes part in the loss",
            measured=f"{len(unused)} of {len(steps.statuses)} parameter tensors without a gradient",
            remedy="call the layer in forward, or leave it out of the constructor",
        )
    ]


def _tell_cut(cut: Sequence[ParameterStatus], steps: Steps) -> list[Finding]:
    if not cut:
        return []
    ordered = _sort_by_call(cut, steps.order)
    zero = all(status.had_gradient for status in cut)
    last = _find_border(ordered, steps)
    after = _find_after(last, steps)
    border = f"{last.owner or last.name} and {after}" if after else f"{last.owner or last.name} and the loss"
    cause = (
        f"it is exactly 0: what lies between {border} is dead (ReLUs that are 0 for every image, weights of 0)"
        if zero
        else f"the graph is cut between {border}: detach(), .data, torch.no_grad(), rounding, argmax or numpy"
    )
    return [
        Finding(
            severity="error",
            code="no-gradient",
            message=f"no gradient reaches {_describe_owners(ordered)}; {cause}",
            place=last.owner or last.name,
            expected=f"a gradient in each of {len(steps.statuses)} parameter tensors within three steps",
            measured=f"none in {len(cut)}",
            remedy=f"look at what forward does between {border}",
        )
    ]


def _find_border(ordered: Sequence[ParameterStatus], steps: Steps) -> ParameterStatus:
    """The last whose owner no gradient reaches at all: a bias behind what is dead still gets one."""
    reached = {status.owner for status in steps.statuses if status.largest_gradient > 0}
    return next((status for status in reversed(ordered) if status.owner not in reached), ordered[-1])


def _find_after(last: ParameterStatus, steps: Steps) -> str:
    """The first layer called after `last` that a gradient did reach."""
    reached = {status.owner for status in steps.statuses if status.largest_gradient > 0}
    later = steps.order[steps.order.index(last.owner) + 1 :] if last.owner in steps.order else ()
    return next((path for path in later if path in reached), "")


def _tell_frozen(steps: Steps) -> list[Finding]:
    frozen = [status for status in steps.statuses if not status.trainable]
    if not frozen:
        return []
    return [
        Finding(
            severity="note",
            code="frozen-parameters",
            message=f"frozen (requires_grad=False): {_describe_owners(frozen)}",
            place=frozen[0].owner or frozen[0].name,
            measured=f"{len(frozen)} of {len(steps.statuses)} parameter tensors",
        )
    ]


def check_parameter_updates(steps: Steps) -> list[Finding]:
    """Parameters with a gradient that three steps of the optimizer left untouched."""
    stuck = [
        status
        for status in steps.statuses
        if status.trainable and not status.moved and status.largest_gradient > NEGLIGIBLE
    ]
    if not stuck:
        return []
    ordered = _sort_by_call(stuck, steps.order)
    missing = [status for status in ordered if not status.held]
    cause = (
        "the optimizer does not hold them: it was given other parameters, or was made before they were"
        if missing
        else "the steps are lost in rounding"
    )
    return [
        Finding(
            severity="error",
            code="not-trained",
            message=f"{_describe_owners(ordered)} receive a gradient but never change; {cause}",
            place=ordered[0].owner or ordered[0].name,
            expected=f"{len(steps.statuses)} parameter tensors that change within three steps",
            measured=f"{len(stuck)} do not",
            remedy="give the optimizer model.parameters(), after the last layer was made and moved to its device",
        )
    ]


def _sort_by_call(statuses: Sequence[ParameterStatus], order: Sequence[str]) -> list[ParameterStatus]:
    """In the order in which their owners were called; those of no called layer first."""
    places = {path: place for place, path in enumerate(order)}
    return sorted(statuses, key=lambda status: places.get(status.owner, -1))


def _describe_owners(statuses: Sequence[ParameterStatus]) -> str:
    """`conv1`, or `features.0 to features.7 (12 parameter tensors)`."""
    owners = list(dict.fromkeys(status.owner or status.name for status in statuses))
    if len(owners) == 1:
        return owners[0]
    joined = f"{owners[0]} and {owners[1]}" if len(owners) == 2 else f"{owners[0]} to {owners[-1]}"
    return f"{joined} ({len(statuses)} parameter tensors)"
