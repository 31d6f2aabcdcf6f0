"""What the words of `--input` can mean to one model, most likely first, where they leave it to the model.

`8x128x64` is a batch of sequences or one image without its batch, `64x64` an image or a batch of vectors, `n=3` a
number or a tensor. The first layer and the signature of forward say what to try first; a reading that fails is
followed by the next, and by integers where the failure asks for them.
"""

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count, product

from torch import nn

from archscope.core.input_spec import Group, InputSpec, Plain, Sizes, Value
from archscope.core.input_words import read_numbers
from archscope.modules import iterate_modules
from archscope.targets.inputs import list_places, read_parameters
from archscope.targets.target import Target

MOST_READINGS = 8
"""Listed at most; those that follow from failures come beside them."""

Reading = tuple[InputSpec, ...]

PLANES = (nn.Conv2d, nn.ConvTranspose2d, nn.BatchNorm2d, nn.InstanceNorm2d)
_SEQUENCES = (
    nn.Conv1d, nn.ConvTranspose1d, nn.BatchNorm1d, nn.RNNBase, nn.MultiheadAttention, nn.Transformer,
    nn.TransformerEncoderLayer, nn.TransformerDecoderLayer,
)  # fmt: skip
TABLES = (nn.Embedding, nn.EmbeddingBag)
_FIRSTS = (*PLANES, *_SEQUENCES, *TABLES, nn.Conv3d, nn.Linear, nn.LayerNorm)


@dataclass(frozen=True, slots=True)
class Model:
    """What the readings depend on."""

    first: nn.Module | None
    """The layer registered first of those whose kind tells what goes in."""
    parts: tuple[nn.Module, ...]
    parameters: Mapping[str, inspect.Parameter]
    places: tuple[str, ...]
    """Names of the parameters of forward that may be given by position."""
    known: frozenset[str | None]
    """Names of the inputs that the target's origin knows."""
    knows_positions: bool
    """Whether the origin knows what inputs without a name are like."""


def describe_model(target: Target, module: nn.Module) -> Model:
    """What the readings of a target's inputs depend on."""
    parts = tuple(iterate_modules(module))
    known = target.default_inputs(module) if target.default_inputs is not None else ()
    return Model(
        first=next((part for part in parts if isinstance(part, _FIRSTS)), None),
        parts=parts,
        parameters=read_parameters(module) or {},
        places=tuple(list_places(module)),
        known=frozenset(
            item.name if item.name is not None else place
            for item, place in zip(known, (*list_places(module), *[None] * len(known)), strict=False)
        ),
        knows_positions=bool(known),
    )


# ----------------------------------------------------------------------------------------------------- all readings


def list_readings(specs: Sequence[InputSpec], model: Model) -> list[Reading]:
    """Every reading of the inputs, the most likely first; one where nothing is left to the model."""
    choices = []
    for place, (spec, name) in enumerate(zip(specs, name_specs(specs, model), strict=True)):
        owned = spec.name in model.known if spec.name is not None else model.knows_positions
        parameter = model.parameters.get(name)
        before = specs[0] if place else None
        choices.append([spec] if owned or spec.exact else _list_meanings(spec, parameter, model, before))
    ranked = sorted(product(*map(enumerate, choices)), key=lambda combination: sum(rank for rank, _ in combination))
    return [tuple(spec for _, spec in combination) for combination in ranked[:MOST_READINGS]]


def name_specs(specs: Sequence[InputSpec], model: Model) -> list[str]:
    """The key of each in a trace: the parameter of forward, `args.0` where it takes any number of them."""
    any_number = next((item.name for item in model.parameters.values() if item.kind is item.VAR_POSITIONAL), "args")
    free = chain(model.places, (f"{any_number}.{place}" for place in count()))
    return [spec.name if spec.name is not None else next(free) for spec in specs]


def _list_meanings(
    spec: InputSpec, parameter: inspect.Parameter | None, model: Model, before: InputSpec | None
) -> list[InputSpec]:
    """The meanings of one input, the likely ones first; `before` is the first input where this is another."""
    tensors = [
        replace(spec, shape=shape, square=None, value=None, exact=True) for shape in _list_shapes(spec, model, before)
    ]
    if tensors and spec.dtype is None and _reads_integers(parameter, model, first=before is None):
        tensors = [replace(tensor, dtype="int64") for tensor in tensors] + tensors[:1]
    values = [InputSpec(spec.name, (), None, value=value, exact=True) for value in _list_values(spec, parameter)]
    wants = _wants_plain(parameter)
    if wants is None and _is_number(spec):
        wants = spec.name is not None or (
            before is not None and before.square is None and before.shape[:1] != spec.shape
        )
    elif wants is None:
        wants = spec.name is not None and isinstance(spec.value, Group) and spec.value.kind == "list"
    return values + tensors if wants else tensors + values


def _is_number(spec: InputSpec) -> bool:
    return spec.value is None and spec.dtype is None and len(spec.shape) == 1


def _list_values(spec: InputSpec, parameter: inspect.Parameter | None) -> Iterator[Value]:
    """What the words mean that is no lone tensor."""
    if _is_number(spec):
        number = spec.shape[0]
        yield Plain(float(number)) if _says(parameter, float) else Plain(number)
    elif spec.value is not None:
        as_shapes = _read_as_shapes(spec.value) if not spec.shape else spec.value
        if as_shapes != spec.value:
            yield as_shapes
        yield spec.value


def _read_as_shapes(value: Value) -> Value:
    """With every tuple of whole numbers inside read as the shape of a tensor: `[(1, 3, 8, 8), (1, 3, 4, 4)]`."""
    if not isinstance(value, Group):
        return value

    def convert(item: Value) -> Value:
        numbers = read_numbers(item) if isinstance(item, Group) and item.kind == "tuple" else None
        return Sizes(numbers) if numbers is not None and len(numbers) > 1 else _read_as_shapes(item)

    return replace(value, items=tuple(map(convert, value.items)))


def _list_shapes(spec: InputSpec, model: Model, before: InputSpec | None) -> list[tuple[int, ...]]:
    """The shapes of a lone tensor that the sizes can mean."""
    shape = spec.shape
    if not shape:
        return []
    if spec.square is None and not spec.is_flexible:
        return [shape]
    batched = (1, *shape)
    channels = next((part.in_channels for part in model.parts if isinstance(part, nn.Conv2d)), None)
    images = [(1, count, shape[0], shape[-1]) for count in dict.fromkeys((channels or 3, 3))]
    if spec.square is not None:
        alone = before is None or before.square is not None
        sides = (*_read_side(spec.square, model.first), *images)
        return list(dict.fromkeys((*sides, shape) if alone else (shape, *sides)))
    if len(shape) == 2:
        is_plane = before is None and isinstance(model.first, PLANES)
        return [images[0], shape] if is_plane else [shape, batched, *(images[:1] if channels else ())]
    if len(shape) == 3:
        return [shape, batched] if _takes_sequences(model.first, shape) else [batched, shape]
    has_volumes = any(isinstance(part, nn.Conv3d) for part in model.parts)
    return [shape, batched] if len(shape) == 4 and has_volumes else [shape]


def _read_side(side: int, first: nn.Module | None) -> Iterator[tuple[int, ...]]:
    """What a lone number means to a layer that takes no images."""
    if isinstance(first, nn.Linear) and first.in_features == side:
        yield (1, side)
    elif isinstance(first, (nn.Conv1d, nn.ConvTranspose1d)):
        yield (1, first.in_channels, side)
    elif isinstance(first, nn.RNNBase):
        yield (1, side, first.input_size)
    elif isinstance(first, TABLES):
        yield (1, side)


def _takes_sequences(first: nn.Module | None, shape: tuple[int, ...]) -> bool:
    """Whether three sizes are a whole batch to the first layer: (N, L, E) or (N, C, L)."""
    if isinstance(first, nn.Linear):
        return first.in_features == shape[-1]
    if isinstance(first, nn.LayerNorm):
        return tuple(first.normalized_shape) == shape[-len(first.normalized_shape) :]
    return isinstance(first, (*_SEQUENCES, *TABLES))


# ------------------------------------------------------------------------------------- what forward's signature says

INTEGER_NAMES = re.compile(r"(^|[_.])(ids?|idx|indices|index|tokens?|labels?)($|[_.])", re.IGNORECASE)


def _reads_integers(parameter: inspect.Parameter | None, model: Model, *, first: bool) -> bool:
    """Whether the tensor is most likely one of integers, which an embedding reads."""
    if not any(isinstance(part, TABLES) for part in model.parts):
        return False
    if parameter is not None and INTEGER_NAMES.search(parameter.name):
        return True
    return first and isinstance(model.first, TABLES)


def _wants_plain(parameter: inspect.Parameter | None) -> bool | None:
    """Whether the parameter is plain data, by its annotation or default; None where neither says."""
    if parameter is None:
        return None
    if "Tensor" in str(parameter.annotation):
        return False
    if _says(parameter, int) or _says(parameter, float) or _says(parameter, tuple) or _says(parameter, list):
        return True
    return None


def _says(parameter: inspect.Parameter | None, kind: type) -> bool:
    if parameter is None:
        return False
    if type(parameter.default) is kind or parameter.annotation is kind:
        return True
    return bool(re.match(rf"(typing\.)?(Optional\[)?{kind.__name__}\b", str(parameter.annotation), re.IGNORECASE))
