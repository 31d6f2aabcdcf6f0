"""Tries the readings of one command's inputs, one after the other, and tells what came of them.

A reading that failed is followed by the next one, and by integers or booleans where the failure asks for them: for
those inputs that the layer that failed was fed with.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from torch import nn

from archscope.core.errors import read_message
from archscope.core.input_spec import InputSpec, Plain, Sizes, iterate_sizes, map_sizes, write_spec, write_value
from archscope.core.trace import Trace
from archscope.targets.inputs import read_alone
from archscope.targets.readings import (
    INTEGER_NAMES,
    PLANES,
    TABLES,
    Model,
    Reading,
    describe_model,
    list_readings,
    name_specs,
)
from archscope.targets.target import Target

MOST_READINGS = 8
"""Tried at most of one command's inputs."""


@dataclass(slots=True)
class InputReader:
    """The readings of a target's inputs, tried one after the other."""

    target: Target
    asked: Reading
    """The inputs as they were typed."""
    first: Reading = ()
    """The most likely reading; empty before the module is known, as are those below."""
    tried: list[Reading] = field(default_factory=list)
    """Those that ran; the last is in use."""
    queue: list[Reading] = field(default_factory=list)
    """Those still to be tried."""
    model: Model | None = None

    def read(self, module: nn.Module) -> Reading:
        """The reading in use, for the built module."""
        if self.model is None:
            self.model = describe_model(self.target, module)
            self.queue = list_readings(self.asked, self.model)
            self.first = self.queue.pop(0)
            self.tried = [self.first]
        return self.tried[-1]

    def advance(self, trace: Trace, error: Exception) -> bool:
        """After a pass that failed: whether another reading may work, which then is the one in use."""
        if self.model is None or len(self.tried) >= MOST_READINGS:
            return False
        known = (*self.tried, *self.queue)
        retyped = [reading for reading in self._retype(self.model, trace, error) if reading not in known]
        if _planes_fit(self.model, trace):
            self.queue = [reading for reading in self.queue if reading[0].shape == self.tried[-1][0].shape]
        self.queue = retyped + self.queue
        if not self.queue:
            return False
        self.tried.append(self.queue.pop(0))
        return True

    def choose(self, reading: Reading) -> None:
        """Put a reading that was tried in use."""
        self.tried = [*(other for other in self.tried if other is not reading), reading]

    def describe(self) -> tuple[str, ...]:
        """What was made of words that can mean something else: `8x128x64 is read as exactly that, no batch added`."""
        columns = zip(self.asked, self.first, self.tried[-1], strict=True)
        return tuple(
            f"input {write_spec(asked)} is read as {_write_meaning(asked, read)}"
            for asked, before, read in columns
            if read != before or _is_unusual(asked, read)
        )

    def describe_failures(self, passes: Sequence[tuple[Reading, Trace]], most: int) -> tuple[str, ...]:
        """What became of other readings: `read as 1x8x128x64, conv (Conv1d) failed: Expected ...`."""
        lines = [f"read as {', '.join(map(write_spec, reading))}, {_tell_failure(trace)}" for reading, trace in passes]
        more = len(lines) - most
        return (*lines[:most], f"and {more} other readings failed") if more > 1 else tuple(lines)

    def write_exact(self) -> tuple[str, ...]:
        """How to say that the sizes mean precisely that shape, where the words left it open and readings differed."""
        is_open = any(spec.is_flexible and len(spec.shape) < 4 for spec in self.asked)
        if self.model is None or not is_open:
            return ()
        if len(self.tried) < 2:
            return tuple(line for spec in self.asked for line in _tell_channels(spec, self.model))
        pairs = zip(self.asked, name_specs(self.asked, self.model), strict=True)
        named = [replace(spec, name=name if name.isidentifier() else "x") for spec, name in pairs if spec.is_flexible]
        return (f"{' '.join(f'--input {write_spec(spec)}' for spec in named)} gives exactly these sizes",)

    def _retype(self, model: Model, trace: Trace, error: Exception) -> list[Reading]:
        """The reading that failed, with integers (or booleans) where the failure asks for them."""
        dtype = _find_wanted(trace, error)
        if dtype is None:
            return []
        free = _list_free(self.tried[-1], model)
        fed = [key for key in _list_fed(trace) if key in free]
        names = INTEGER_NAMES if dtype == "int64" else _MASK_NAMES
        likely = sorted(fed or free, key=lambda key: names.search(key) is None)
        groups = [[key] for key in likely[:3]] + ([likely] if len(likely) > 1 else [])
        if fed and _fails_in_table(trace):
            groups = [fed]
        return [_set_dtypes(self.tried[-1], model, keys, dtype) for keys in groups]


# ------------------------------------------------------------------------------------------- what a failure asks for

_MASK_NAMES = re.compile("mask", re.IGNORECASE)
_INTEGERS = re.compile(
    r"'indices' to have one of|used as indices must be|index tensor|scalar types? (Long|Int)\b|int64|LongTensor",
    re.IGNORECASE,
)
_BOOLEANS = re.compile(r"boolean mask|to be bool|type bool|dtype bool", re.IGNORECASE)
"""In texts of torch 2.13 and 2.14."""


def _find_wanted(trace: Trace, error: Exception) -> str | None:
    if "must be Tensor" in read_message(error):
        return None
    if _fails_in_table(trace):
        return "int64"
    told = read_message(error)
    return "int64" if _INTEGERS.search(told) else "bool" if _BOOLEANS.search(told) else None


def _fails_in_table(trace: Trace) -> bool:
    names = {kind.__name__ for kind in TABLES}
    return trace.failure is not None and bool(trace.layers) and trace.layers[trace.failure.layer].type in names


def _list_fed(trace: Trace) -> list[str]:
    """Keys of the inputs from which those of the layer that failed were computed."""
    if trace.failure is None or not trace.layers:
        return []
    makers = {ref.value: op for op in trace.ops for ref in op.outputs}
    pending = [ref.value for ref in trace.layers[trace.failure.layer].inputs]
    seen: set[int] = set()
    while pending:
        value = pending.pop()
        if value not in seen:
            seen.add(value)
            pending += [ref.value for ref in makers[value].inputs] if value in makers else []
    return [ref.spec.key for ref in trace.inputs if ref.value in seen]


def _planes_fit(model: Model, trace: Trace) -> bool:
    """Whether a layer of planes, the first kind of the model, got a batch of as many channels as it takes."""
    names = {kind.__name__ for kind in PLANES}
    return isinstance(model.first, PLANES) and any(
        layer.type in names
        and [len(ref.shape) for ref in layer.inputs] == [4]
        and layer.setting("in_channels", layer.inputs[0].shape[1]) == layer.inputs[0].shape[1]
        for layer in trace.layers
    )


def _list_free(reading: Reading, model: Model) -> list[str]:
    """Keys of the tensors whose dtype nobody chose."""
    keys = []
    for spec, name in zip(reading, name_specs(reading, model), strict=True):
        if spec.shape:
            keys += [name] if spec.dtype is None and spec.exact else []
        elif spec.value is not None:
            keys += [key for key, sizes in iterate_sizes(spec.value, name) if sizes.dtype is None]
    return keys


def _set_dtypes(reading: Reading, model: Model, keys: Sequence[str], dtype: str) -> Reading:
    def retype(key: str, sizes: Sizes) -> Sizes:
        return replace(sizes, dtype=dtype) if key in keys else sizes

    changed = []
    for spec, name in zip(reading, name_specs(reading, model), strict=True):
        if spec.shape:
            changed.append(replace(spec, dtype=dtype) if name in keys else spec)
        else:
            changed.append(spec if spec.value is None else replace(spec, value=map_sizes(spec.value, retype, name)))
    return tuple(changed)


# ----------------------------------------------------------------------------------------------------- for people


def _is_unusual(asked: InputSpec, read: InputSpec) -> bool:
    """Whether the reading is not the one that the help names."""
    if asked == read or not read.exact:
        return False
    if not read.shape:
        return (bool(asked.shape) and asked.value is None) or (asked.value is not None and read.value != asked.value)
    return (read.shape, read.dtype) != (read_alone(asked), asked.dtype)


def _write_meaning(asked: InputSpec, read: InputSpec) -> str:
    if read.value is not None:
        number = isinstance(read.value, Plain)
        return f"the number {write_value(read.value)}" if number else write_value(read.value)
    exact = asked.is_flexible and len(asked.shape) == 3 and read.shape == asked.shape
    dtype = f" {read.dtype}" if read.dtype != asked.dtype and read.dtype else ""
    return f"exactly that{dtype}, no batch added" if exact else "x".join(map(str, read.shape)) + dtype


def _tell_channels(spec: InputSpec, model: Model) -> Iterator[str]:
    """Of three sizes that were read as one image, where the first convolution takes other images."""
    channels = next((part.in_channels for part in model.parts if isinstance(part, nn.Conv2d)), None)
    if spec.is_flexible and len(spec.shape) == 3 and channels not in (None, spec.shape[0]):
        image = "x".join(map(str, read_alone(spec)))
        exact = write_spec(replace(spec, name=spec.name or "x"))
        yield (
            f"{write_spec(spec)} is read as one image, {image}, and the first convolution takes {channels} channels; "
            f"--input {exact} gives exactly these sizes"
        )


def _tell_failure(trace: Trace) -> str:
    failure = trace.failure
    if failure is None:
        return "it does not run"
    place = (
        f"{failure.path} ({trace.layers[failure.layer].type})"
        if failure.path
        else trace.layers[0].type
        if trace.layers
        else "forward"
    )
    message = failure.told
    return f"{place} failed: {message if len(message) <= 100 else message[:97] + '...'}"
