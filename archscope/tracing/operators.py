"""What the schema of an operator overload says, and operands whose dtypes do not fit."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import torch

from archscope.core.operators import Operator, find_operator


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
    known: Operator | None
    """What the taxonomy says of it."""
    checked: tuple[int, ...]
    """Places of the arguments whose dtypes a real kernel compares."""

    @property
    def value_free(self) -> bool:
        """True where the output depends on its input's shape and dtype alone (`zeros_like`)."""
        return self.known is not None and self.known.kind == "fill"


@cache
def describe_operator(operator: Any) -> OperatorInfo:
    """The operator's description; operators without a schema (higher-order ones) have no argument names."""
    schema = getattr(operator, "_schema", None)
    if schema is None:
        return OperatorInfo(str(getattr(operator, "__name__", operator)), "default", (), (), False, False, None, ())
    namespace, _, base = schema.name.partition("::")
    arguments = schema.arguments
    names = tuple(argument.name for argument in arguments)
    mutated = tuple(
        argument.name for argument in arguments if argument.alias_info is not None and argument.alias_info.is_write
    )
    known = find_operator(f"{namespace}.{base}")
    return OperatorInfo(
        name=f"{namespace}.{base}",
        overload=schema.overload_name or "default",
        argument_names=names,
        mutated=mutated,
        takes_device="device" in names,
        random=torch.Tag.nondeterministic_seeded in operator.tags or base.startswith("empty"),
        known=known,
        checked=_list_checked(known, names),
    )


def _list_checked(known: Operator | None, names: tuple[str, ...]) -> tuple[int, ...]:
    if known is None or known.dtypes == "any":
        return ()
    operands = (*known.data, *known.weight, *known.bias, *(_STATISTICS if known.dtypes == "parameters" else ()))
    return tuple(place for place, name in enumerate(names) if name in operands)


_STATISTICS = ("running_mean", "running_var")
_HALVES = (torch.float16, torch.bfloat16)


def check_operand_dtypes(info: OperatorInfo, args: tuple[Any, ...]) -> None:
    """Refuse what a real kernel would refuse.

    Raises:
        RuntimeError: two operands of a product or convolution differ in dtype, or a normalisation's parameters do from
            its input, which float32 may beside half precision.
    """
    if not info.checked or info.known is None:
        return
    operands = [args[place] for place in info.checked if place < len(args) and isinstance(args[place], torch.Tensor)]
    first = operands[0].dtype if operands else None
    for other in operands[1:]:
        if other.dtype == first:
            continue
        if info.known.dtypes == "one":
            raise RuntimeError(
                f"expected all operands of {info.name} to have the same dtype, but got {first} and {other.dtype}"
            )
        if first not in _HALVES or other.dtype is not torch.float32:
            raise RuntimeError(
                f"mixed dtype: {info.name} got an input of {first} and parameters or statistics of {other.dtype}"
            )
