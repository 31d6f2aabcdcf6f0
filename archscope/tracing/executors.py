"""How the operations of a traced forward pass are run: on meta tensors, on fake tensors, or for real."""

from typing import Any, Protocol

import torch
from torch._subclasses.fake_tensor import DataDependentOutputException, DynamicOutputShapeException

from archscope.core.trace import Mode
from archscope.tracing.constants import ConstantTable, DataDependentError, is_small, reads_values
from archscope.tracing.operators import OperatorInfo, check_operand_dtypes
from archscope.tracing.rules import apply_rule
from archscope.tracing.structure import list_operands, map_tensors

META = torch.device("meta")
VALUE_ERRORS = (DataDependentError, DataDependentOutputException, DynamicOutputShapeException)
"""Raised where code needs the values of tensors that have none."""


class Executor(Protocol):
    """Runs operations for the recorder."""

    data_dependent: Exception | None
    """Set when the pass asked for values that nobody has: whatever it did then, also if it went on, was a guess."""

    @property
    def mode(self) -> Mode:
        """The word for it in the trace."""

    def stand_in(self, tensor: torch.Tensor) -> torch.Tensor:
        """The tensor that takes the place of `tensor` in this pass."""

    def prepare(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments with stand-ins put in."""

    def run(self, func: Any, info: OperatorInfo, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run one operation on prepared arguments."""


class DirectExecutor:
    """Runs every operation as it is: for fake tensors and for real ones."""

    def __init__(self, mode: Mode) -> None:
        self.mode: Mode = mode
        self.data_dependent: Exception | None = None

    def stand_in(self, tensor: torch.Tensor) -> torch.Tensor:
        """The tensor itself."""
        return tensor

    def prepare(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments as they are."""
        return args, kwargs

    def run(self, func: Any, info: OperatorInfo, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run the operation."""
        check_operand_dtypes(info, args)
        try:
            return func(*args, **kwargs)
        except VALUE_ERRORS as error:
            self.data_dependent = error
            raise


class MetaExecutor:
    """Runs every operation on meta tensors; small constants are computed beside it so that code may read them."""

    mode: Mode = "meta"

    def __init__(self, *, plain: bool = False) -> None:
        """`plain` leaves out the exact shape rules: every operation runs its true meta kernel (the oracle)."""
        self.constants = ConstantTable()
        self.data_dependent: Exception | None = None
        self._plain = plain
        self._stand_ins: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    def stand_in(self, tensor: torch.Tensor) -> torch.Tensor:
        """The tensor itself if it is on meta; else its meta stand-in, the same one each time."""
        if tensor.device.type == "meta":
            return tensor
        found = self._stand_ins.get(id(tensor))
        if found is None:
            found = self._stand_ins[id(tensor)] = (tensor, make_stand_in(tensor))
            self.constants.remember_original(found[1], tensor)
        return found[1]

    def list_known(self) -> list[torch.Tensor]:
        """The stand-ins made so far, and the tensors whose values are known."""
        return [*(stand_in for _, stand_in in self._stand_ins.values()), *self.constants.list_known()]

    def prepare(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Put stand-ins in the place of tensors that are not on meta (literals, captured tensors)."""
        for tensor in list_operands(args, kwargs):
            if tensor.device.type != "meta":
                return map_tensors(args, self.stand_in), map_tensors(kwargs, self.stand_in)
        return args, kwargs

    def run(self, func: Any, info: OperatorInfo, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run the operation on meta; constants in, constants out."""
        check_operand_dtypes(info, args)
        known = self.constants.can_evaluate(info, args, kwargs)
        if reads_values(info):
            if not known:
                raise self._note(DataDependentError(info.name))
            return self.constants.evaluate(func, info, args, kwargs)
        output = None if self._plain else apply_rule(func, args, kwargs)
        if output is None:
            try:
                output = func(*args, **(_on_meta(info, args, kwargs)))
            except NotImplementedError as error:
                if not known:
                    raise self._note(DataDependentError(info.name)) from error
                # Its shape depends on values, and those are known: `unique` of a small table.
                values = self.constants.evaluate(func, info, args, kwargs)
                output = map_tensors(values, make_stand_in)
                self.constants.bind(output, values)
                return output
        if known and is_small(output):
            self.constants.bind(output, self.constants.evaluate(func, info, args, kwargs))
        return output

    def _note(self, error: DataDependentError) -> DataDependentError:
        self.data_dependent = error
        return error


def _on_meta(info: OperatorInfo, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    if not info.takes_device or info.argument_names.index("device") < len(args):
        return kwargs
    return {name: value for name, value in kwargs.items() if name != "pin_memory"} | {"device": META}


def make_stand_in(tensor: torch.Tensor) -> torch.Tensor:
    """A meta tensor of the same sizes, strides and dtype, without memory. Raises DataDependentError as below."""
    check_strided(tensor)
    return torch.empty_strided(tensor.size(), tensor.stride(), dtype=tensor.dtype, device=META)


def check_strided(tensor: torch.Tensor) -> None:
    """Raise DataDependentError for sparse and nested tensors, whose sizes are values that no stand-in has."""
    if tensor.layout is not torch.strided or tensor.is_nested:
        raise DataDependentError(f"a {'nested' if tensor.is_nested else 'sparse'} tensor")
