"""The built-in models as targets: `vgg16`, `resnet50`."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from torch import nn

from archscope.models.registry import build_model, check_arguments, default_input_shape, find_entry
from archscope.targets.target import InputTensor, Target


def find_builtin(name: str, arguments: Mapping[str, Any]) -> Target:
    """The built-in model `name`. Raises UnknownNameError, and UsageError for arguments it does not take."""
    entry = find_entry(name)
    checked = check_arguments(entry.name, **arguments)
    shape = default_input_shape(entry.name, **arguments)

    def default_inputs(_: nn.Module) -> tuple[InputTensor, ...]:
        return (InputTensor(None, (1, *shape)),)

    return Target(
        text=entry.name,
        title=entry.title,
        build=partial(build_model, entry.name, **arguments),
        arguments={key: checked[key] for key in arguments},
        default_inputs=default_inputs,
        usual_shape=(1, *shape),
    )
