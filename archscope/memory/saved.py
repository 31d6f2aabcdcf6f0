"""A saved trace as what `fit` is asked about: the model that it names is built again and given the inputs it was given.

A trace is one pass of one batch. Other batches and training steps must be run, so no option could save them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from archscope.core.errors import ArchscopeError, DataError, UsageError
from archscope.core.trace import Trace
from archscope.core.units import format_exact
from archscope.core.words import InputSpec
from archscope.modules import iterate_parameters
from archscope.targets.resolve import resolve_target
from archscope.targets.target import InputTensor, Target

REMEDY = "name the model itself: archscope fit resnet18 --memory 16GiB, or archscope fit net.py:Net --input 3x224x224"


@dataclass(frozen=True, slots=True)
class SavedTarget:
    """A saved trace and the file that it was read from."""

    name: str
    """Of the file, as typed."""
    trace: Trace

    def resolve(self) -> Target:
        """The target that the trace names. Raises DataError where it cannot be found again."""
        text = self.trace.target
        try:
            return resolve_target(text, dict(self.trace.arguments))
        except ArchscopeError as error:
            raise DataError(
                f"{self.name} is a trace of {text!r}, which cannot be built again to run other batches: "
                f"{error.message}",
                REMEDY,
            ) from error

    def list_inputs(self, known: Sequence[InputTensor]) -> tuple[InputSpec, ...]:
        """The inputs of the trace in the words of `--input`, those that the target passes by keyword with their names.

        Floating-point ones follow the weights. Raises UsageError for inputs within lists and dicts.
        """
        nested = [ref.spec.key for ref in self.trace.inputs if not ref.spec.key.isidentifier()]
        if nested:
            raise UsageError(f"an input of {self.name} lies in a list or a dict: {nested[0]}", REMEDY)
        keywords = {item.name for item in known}
        return tuple(
            InputSpec(
                ref.spec.key if ref.spec.key in keywords or not known else None,
                ref.shape,
                None if "float" in ref.spec.dtype else ref.spec.dtype,
            )
            for ref in self.trace.inputs
        )

    def check(self, module: nn.Module) -> None:
        """Raise DataError where the module has not the parameters of the one that was traced."""
        now = sum(parameter.numel() for parameter in iterate_parameters(module))
        if now != self.trace.totals.params:
            raise DataError(
                f"{self.trace.target} has {format_exact(now)} parameters now, and had "
                f"{format_exact(self.trace.totals.params)} when {self.name} was saved",
                "trace it again, or name the model itself",
            )
