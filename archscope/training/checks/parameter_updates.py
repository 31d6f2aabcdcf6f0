"""Does every parameter move? What the optimizer was not given stays as it was."""

from archscope.core.finding import Finding
from archscope.training.checks.gradients import describe_owners, sort_by_call
from archscope.training.checks.steps import NEGLIGIBLE, Steps


def check_parameter_updates(steps: Steps) -> list[Finding]:
    """Parameters with a gradient that three steps of the optimizer left untouched."""
    stuck = [fate for fate in steps.fates if fate.trainable and not fate.moved and fate.largest_gradient > NEGLIGIBLE]
    if not stuck:
        return []
    ordered = sort_by_call(stuck, steps.order)
    missing = [fate for fate in ordered if not fate.held]
    cause = (
        "the optimizer does not hold them: it was given other parameters, or was made before they were"
        if missing
        else "steps are lost in rounding"
    )
    return [
        Finding(
            severity="error",
            code="not-trained",
            message=f"{describe_owners(ordered)} get a gradient and never move; {cause}",
            place=ordered[0].owner or ordered[0].name,
            expected=f"{len(steps.fates)} parameter tensors that change within three steps",
            measured=f"{len(stuck)} do not",
            remedy="give the optimizer model.parameters(), after the last layer was made and moved to its device",
        )
    ]
