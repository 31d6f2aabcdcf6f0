"""An operator overload goes in; what its schema says about names, mutation, devices and randomness comes out."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import torch


@dataclass(frozen=True, slots=True)
class OperatorInfo:
    """What the tracer must know of one operator overload, read from its schema once."""

    name: str
    """Qualified name without the overload: `aten.convolution`."""
    overload: str
    argument_names: tuple[str, ...]
    mutated: tuple[str, ...]
    """Names of the arguments it writes to."""
    takes_device: bool
    """True for factories and conversions, which have an argument `device`."""
    random: bool
    """True where two runs may differ."""
    value_free: bool
    """True where the output depends on its input's shape and dtype alone (`zeros_like`)."""


_VALUE_FREE = frozenset({"new_zeros", "new_ones", "new_full", "zeros_like", "ones_like", "full_like"})


@cache
def describe_operator(operator: Any) -> OperatorInfo:
    """The operator's description; operators without a schema (higher-order ones) have no argument names."""
    schema = getattr(operator, "_schema", None)
    if schema is None:
        return OperatorInfo(str(getattr(operator, "__name__", operator)), "default", (), (), False, False, False)
    namespace, _, base = schema.name.partition("::")
    arguments = schema.arguments
    names = tuple(argument.name for argument in arguments)
    mutated = tuple(
        argument.name for argument in arguments if argument.alias_info is not None and argument.alias_info.is_write
    )
    return OperatorInfo(
        name=f"{namespace}.{base}",
        overload=schema.overload_name or "default",
        argument_names=names,
        mutated=mutated,
        takes_device="device" in names,
        random=torch.Tag.nondeterministic_seeded in operator.tags or base.startswith("empty"),
        value_free=base in _VALUE_FREE,
    )
