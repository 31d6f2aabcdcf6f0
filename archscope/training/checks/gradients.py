"""Does a gradient reach every parameter? Judged over three steps, so that branches which start at zero do not alarm."""

from collections.abc import Sequence

from archscope.core.finding import Finding
from archscope.training.checks.steps import ParameterStatus, Steps


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
    unreached = [fate for fate in steps.fates if fate.trainable and not fate.largest_gradient > 0]
    unused = [fate for fate in unreached if fate.owner not in steps.order and not fate.had_gradient]
    cut = [fate for fate in unreached if fate not in unused]
    return [*_tell_unused(unused, steps), *_tell_cut(cut, steps), *_tell_frozen(steps)]


def _tell_unused(unused: Sequence[ParameterStatus], steps: Steps) -> list[Finding]:
    if not unused:
        return []
    return [
        Finding(
            severity="error",
            code="unused-parameters",
            message=f"forward never uses {describe_owners(unused)}",
            place=unused[0].owner or unused[0].name,
            expected="every parameter takes part in the loss",
            measured=f"{len(unused)} of {len(steps.fates)} parameter tensors without a gradient",
            remedy="call the layer in forward, or leave it out of the constructor",
        )
    ]


def _tell_cut(cut: Sequence[ParameterStatus], steps: Steps) -> list[Finding]:
    if not cut:
        return []
    ordered = sort_by_call(cut, steps.order)
    zero = all(fate.had_gradient for fate in cut)
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
            message=f"no gradient reaches {describe_owners(ordered)}; {cause}",
            place=last.owner or last.name,
            expected=f"a gradient in each of {len(steps.fates)} parameter tensors within three steps",
            measured=f"none in {len(cut)}",
            remedy=f"look at what forward does between {border}",
        )
    ]


def _find_border(ordered: Sequence[ParameterStatus], steps: Steps) -> ParameterStatus:
    """The last whose owner no gradient reaches at all: a bias behind what is dead still gets one."""
    reached = {fate.owner for fate in steps.fates if fate.largest_gradient > 0}
    return next((fate for fate in reversed(ordered) if fate.owner not in reached), ordered[-1])


def _find_after(last: ParameterStatus, steps: Steps) -> str:
    """The first layer called after `last` that a gradient did reach."""
    reached = {fate.owner for fate in steps.fates if fate.largest_gradient > 0}
    later = steps.order[steps.order.index(last.owner) + 1 :] if last.owner in steps.order else ()
    return next((path for path in later if path in reached), "")


def _tell_frozen(steps: Steps) -> list[Finding]:
    frozen = [fate for fate in steps.fates if not fate.trainable]
    if not frozen:
        return []
    return [
        Finding(
            severity="note",
            code="frozen-parameters",
            message=f"frozen (requires_grad=False): {describe_owners(frozen)}",
            place=frozen[0].owner or frozen[0].name,
            measured=f"{len(frozen)} of {len(steps.fates)} parameter tensors",
        )
    ]


def sort_by_call(fates: Sequence[ParameterStatus], order: Sequence[str]) -> list[ParameterStatus]:
    """In the order in which their owners were called; those of no called layer first."""
    places = {path: place for place, path in enumerate(order)}
    return sorted(fates, key=lambda fate: places.get(fate.owner, -1))


def describe_owners(fates: Sequence[ParameterStatus]) -> str:
    """`conv1`, or `features.0 to features.7 (12 parameter tensors)`."""
    owners = list(dict.fromkeys(fate.owner or fate.name for fate in fates))
    if len(owners) == 1:
        return owners[0]
    joined = f"{owners[0]} and {owners[1]}" if len(owners) == 2 else f"{owners[0]} to {owners[-1]}"
    return f"{joined} ({len(fates)} parameter tensors)"
