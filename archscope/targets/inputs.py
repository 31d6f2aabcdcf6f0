"""The arguments of forward as tensors on one device, from the inputs asked for and those that a target knows."""

import inspect
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeGuard

import torch
from torch import nn

from archscope.core.errors import InputSpecError, UsageError, join_words, read_message, suggest_names
from archscope.core.input_spec import InputSpec, Sizes, iterate_sizes, map_sizes
from archscope.core.input_words import EXACT_FORM
from archscope.modules import iterate_modules, iterate_tensors_of
from archscope.targets.target import Input, InputTensor, InputValue, Target, build_arguments

EXAMPLE = (
    "give the shape: --input 32, --input 3x224x224, --input 1x128:int64 or --input input_ids=1x128:int64; " + EXACT_FORM
)


def make_arguments(
    target: Target, module: nn.Module, specs: Sequence[InputSpec], device: torch.device, batch: int | None = None
) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
    """Positional and keyword arguments of the module's forward, with another batch where one is given.

    Raises UsageError where nothing is asked for and the target's origin knows no inputs, or forward does not take what
    is asked for.
    """
    dtype = find_dtype(module)
    inputs = change_batch(choose_inputs(target, module, specs), batch)
    positional, named = build_arguments(inputs, lambda item: _make_tensor(item, dtype, device))
    keywords = {**target.extra_arguments, **named}
    if specs:
        check_names(module, keywords)
        _check_places(module, len(positional), keywords)
    return positional, keywords


def change_batch(inputs: tuple[Input, ...], batch: int | None) -> tuple[Input, ...]:
    """The inputs with another batch (None: as they are).

    It is their first dimension, where that equals the first dimension of the first of them, and the length of a list.
    """
    if batch is None:
        return inputs
    before = next((shape[0] for shape in list_shapes(inputs, grouped=False) if shape), None)

    def change(shape: tuple[int, ...]) -> tuple[int, ...]:
        return (batch, *shape[1:]) if shape and shape[0] == before else shape

    def change_sizes(_: str, sizes: Sizes) -> Sizes:
        return sizes if sizes.data is not None else replace(sizes, shape=change(sizes.shape))

    changed: list[Input] = []
    seen: set[str] = set()
    for item in inputs:
        if isinstance(item, InputValue):
            changed.append(replace(item, value=map_sizes(item.value, change_sizes)))
        elif item.group is None:
            changed.append(replace(item, shape=change(item.shape)))
        elif item.group not in seen:
            seen.add(item.group)
            changed += [item] * batch
    return tuple(changed)


def list_shapes(inputs: Sequence[Input], *, grouped: bool = True) -> tuple[tuple[int, ...], ...]:
    """Shapes of all tensors, in order; without `grouped`, those outside a list of images that the target knows."""
    shapes: list[tuple[int, ...]] = []
    for item in inputs:
        if isinstance(item, InputValue):
            shapes += [sizes.shape for _, sizes in iterate_sizes(item.value)]
        elif grouped or item.group is None:
            shapes.append(item.shape)
    return tuple(shapes)


def choose_inputs(target: Target, module: nn.Module, specs: Sequence[InputSpec]) -> tuple[Input, ...]:
    """The inputs asked for, completed from the target's own: a lone size keeps channels and batch, a name its dtype."""
    known = target.default_inputs(module) if target.default_inputs is not None else ()
    if not specs:
        if not known and takes_inputs(module):
            in_python = '; in Python, tensors or inputs="3x224x224"' if target.is_instance else ""
            raise UsageError(f"{target.text} does not say what input it takes", EXAMPLE + in_python)
        return known
    _check_once(specs)
    if all(spec.square is not None for spec in specs):
        return _resize(target, known, specs)
    positional: list[Input] = [item for item in known if item.name is None]
    named: dict[str, Input] = {item.name: item for item in known if item.name is not None}
    places = list_places(module)[: len(positional)]
    for spec in specs:
        if spec.name in places:
            place = places.index(spec.name)
            positional[place] = replace(_complete(spec, positional[place]), name=None)
        elif spec.name is not None:
            named[spec.name] = _complete(spec, named.get(spec.name))
    unnamed = [spec for spec in specs if spec.name is None]
    if unnamed and not positional and known:
        _fill_named(target, unnamed, named, {spec.name for spec in specs})
    elif unnamed:
        positional = _fill_positional(unnamed, positional)
    return (*positional, *named.values())


def list_places(module: nn.Module) -> list[str]:
    """Names of the parameters of forward that may be given by position, in order."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [name for name, parameter in (read_parameters(module) or {}).items() if parameter.kind in kinds]


def _check_once(specs: Sequence[InputSpec]) -> None:
    names = [spec.name for spec in specs if spec.name is not None]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        remedy = f"a list is one argument: --input '{twice}=[1x3x64x64, 1x3x32x32]'"
        raise InputSpecError(f"the input {twice} is given twice", remedy)


def takes_inputs(module: nn.Module) -> bool:
    """Whether forward has a parameter; true where its signature cannot be read."""
    parameters = read_parameters(module)
    return parameters is None or bool(parameters)


def read_parameters(module: nn.Module) -> Mapping[str, inspect.Parameter] | None:
    """The parameters of forward by their names; None where its signature cannot be read."""
    try:
        return inspect.signature(module.forward).parameters
    except (AttributeError, TypeError, ValueError):
        return None


def check_names(module: nn.Module, names: Collection[str], owner: str = "", remedies: Sequence[str] = ()) -> None:
    """Raise UsageError for a keyword that forward does not take; its remedy lists those that it does.

    `owner` is who was asked: `the forward pass of Net`; `remedies` stand before and after the list.
    """
    parameters = read_parameters(module)
    if not parameters or module._forward_pre_hooks_with_kwargs or _takes_any(parameters, "VAR_KEYWORD"):
        return
    for name in names:
        if name not in parameters:
            near = join_words(suggest_names(name, parameters))
            before, after = remedies or ("", "")
            advice = (before, f"did you mean {near}?" if near else "", f"forward takes {_join(parameters)}", after)
            asked = owner or f"the forward pass of {type(module).__name__} takes no argument"
            raise UsageError(f"{asked} {name!r}", "; ".join(filter(None, advice)))


def _check_places(module: nn.Module, positions: int, names: Collection[str]) -> None:
    """Raise UsageError where forward takes fewer inputs than are given, or needs others."""
    parameters = read_parameters(module)
    if not parameters or module._forward_pre_hooks:
        return
    owner = f"the forward pass of {type(module).__name__}"
    takes = f"forward takes {_join(parameters)}"
    places = list_places(module)
    if positions > len(places) and not _takes_any(parameters, "VAR_POSITIONAL"):
        told = f"{positions} inputs are given without a name, and {owner} takes {len(places)} so"
        raise UsageError(told, f"{takes}; several tensors in one list are --input '[1x3x64x64, 1x3x32x32]'")
    twice = next((name for name in places[:positions] if name in names), None)
    if twice is not None:
        raise UsageError(f"{twice} is given twice, once without its name", takes)
    missing = [
        name
        for name, parameter in parameters.items()
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        and name not in (*places[:positions], *names)
    ]
    if missing:
        advice = " ".join(f"--input {name}=1x128" for name in missing[:4])
        raise UsageError(f"{owner} also needs {_join(missing)}", f"{takes}; give each, such as {advice}")


def _takes_any(parameters: Mapping[str, inspect.Parameter], kind: str) -> bool:
    return any(parameter.kind.name == kind for parameter in parameters.values())


def _join(names: Iterable[str]) -> str:
    return join_words(names).replace(" or ", " and ")


def _fill_positional(specs: Sequence[InputSpec], known: Sequence[Input]) -> list[Input]:
    """One shape stands for every input where all are alike (the two images of RAFT); a batch fills a list of images."""
    if len(specs) == 1 and len(set(list_shapes(known))) == 1:
        specs = [*specs] * len(known)
    filled: list[Input] = []
    for i, spec in enumerate(specs):
        origin = known[i] if i < len(known) else None
        item = _complete(spec, origin)
        if _is_batch_of(item, origin):
            filled += [replace(item, shape=item.shape[1:])] * item.shape[0]
        else:
            filled.append(item)
    return filled


def _is_batch_of(item: Input, origin: Input | None) -> TypeGuard[InputTensor]:
    """Whether it is a batch where the target takes a list of images."""
    if not isinstance(item, InputTensor) or not isinstance(origin, InputTensor):
        return False
    return origin.group is not None and len(item.shape) == len(origin.shape) + 1


def _fill_named(
    target: Target, specs: Sequence[InputSpec], named: dict[str, Input], asked: Collection[str | None]
) -> None:
    """Shapes without a name go to the inputs that are passed by keyword, in their order."""
    free = [name for name in named if name not in asked]
    if len(specs) > len(free):
        raise UsageError(
            f"{len(specs)} shapes without a name for {target.text}, which takes {', '.join(named)}", EXAMPLE
        )
    for name, spec in zip(free, specs, strict=False):
        completed = _complete(spec, named[name])
        named[name] = replace(completed, name=name)


def _resize(target: Target, known: tuple[InputTensor, ...], specs: Sequence[InputSpec]) -> tuple[Input, ...]:
    """A lone size is the side of an image; the length of a text where there is no image."""
    if not known:
        return tuple(InputTensor(None, (1, 3, spec.shape[0], spec.shape[0])) for spec in specs)
    images = [item for item in known if len(item.shape) > 3 or item.group is not None]
    sized = images or [item for item in known if len(item.shape) == 2]
    if len(specs) not in (1, len(sized)):
        what = "images" if images else "inputs"
        raise UsageError(f"{len(specs)} sizes are given for {len(sized)} {what} of {target.text}", EXAMPLE)
    sides = [specs[i if len(specs) > 1 else 0].shape[0] for i in range(len(sized))]
    shapes = {
        id(item): (*item.shape[:-2], side, side) if images else (*item.shape[:-1], side)
        for item, side in zip(sized, sides, strict=True)
    }
    return tuple(replace(item, shape=shapes.get(id(item), item.shape)) for item in known)


def _complete(spec: InputSpec, known: Input | None) -> Input:
    if spec.value is not None and not spec.shape:
        return InputValue(spec.name, spec.value)
    if not isinstance(known, InputTensor):
        return InputTensor(spec.name, read_alone(spec), spec.dtype, fill=_choose_fill(spec))
    shape = (*known.shape[:-2], spec.square, spec.square) if spec.square is not None else _fit(spec, known)
    return replace(known, name=spec.name, shape=shape, dtype=spec.dtype or known.dtype)


def read_alone(spec: InputSpec) -> tuple[int, ...]:
    """Its shape where neither the target nor the model says more: images get a batch, of 1."""
    if spec.square is not None:
        return (1, 3, spec.square, spec.square)
    return (1, *spec.shape) if spec.is_flexible and len(spec.shape) == 3 else spec.shape


def _fit(spec: InputSpec, known: InputTensor) -> tuple[int, ...]:
    """The shape beside that of the target's own input, with what it lacks of it: a batch of 1, an image's channels."""
    if not spec.is_flexible or known.group is not None:
        return spec.shape
    lacking = len(known.shape) - len(spec.shape)
    if lacking == 1:
        return (1, *spec.shape)
    is_image = lacking == 2 and len(known.shape) == 4
    return (1, known.shape[1], *spec.shape) if is_image else spec.shape


def _choose_fill(spec: InputSpec) -> int | None:
    """Lengths are at least 1; other integers are 0, which every table and every embedding has."""
    whole = spec.dtype is not None and not getattr(torch, spec.dtype).is_floating_point
    return 1 if whole and spec.name is not None and "len" in spec.name.casefold() else None


def find_dtype(module: nn.Module) -> torch.dtype:
    """What floating-point inputs are: the dtype of the first of torch's own layers that has such a parameter.

    Without any that of the first real parameter or buffer, of the first complex one, or torch's default.
    """
    layers = (part for part in iterate_modules(module) if _is_layer(part))
    weights = (tensor for part in layers for tensor in part._parameters.values() if tensor is not None)
    first = next((tensor.dtype for tensor in weights if _is_inexact(tensor)), None)
    if first is not None:
        return first
    found = [tensor.dtype for tensor in iterate_tensors_of(module) if _is_inexact(tensor)]
    return next((dtype for dtype in found if not dtype.is_complex), next(iter(found), torch.get_default_dtype()))


def _is_layer(part: nn.Module) -> bool:
    return type(part).__module__.startswith("torch.") and not isinstance(part, (nn.ParameterList, nn.ParameterDict))


def _is_inexact(tensor: torch.Tensor) -> bool:
    return tensor.dtype.is_floating_point or tensor.dtype.is_complex


def _make_tensor(item: InputTensor, floating: torch.dtype, device: torch.device) -> torch.Tensor:
    try:
        return _fill_tensor(item, floating, device)
    except (RuntimeError, MemoryError, TypeError, OverflowError) as error:  # the latter: beyond 64 bits
        size = "x".join(map(str, item.shape))
        told = read_message(error).splitlines()[0] if read_message(error) else "out of memory"
        raise InputSpecError(f"an input of {size} cannot be made: {told}", EXAMPLE) from error


def _fill_tensor(item: InputTensor, floating: torch.dtype, device: torch.device) -> torch.Tensor:
    dtype = floating if item.dtype is None else getattr(torch, item.dtype)
    if item.data is not None:
        # A pass on meta knows the values of what is elsewhere.
        return torch.tensor(item.data, dtype=dtype, device=None if device.type == "meta" else device)
    if device.type == "meta":
        return torch.empty(item.shape, dtype=dtype, device=device)
    if item.fill is not None:
        return torch.full(item.shape, item.fill, dtype=dtype, device=device)
    if dtype.is_floating_point or dtype.is_complex:
        generator = torch.Generator().manual_seed(0)
        noise = torch.randn(item.shape, generator=generator, dtype=torch.complex64 if dtype.is_complex else None)
        return noise.to(dtype=dtype, device=device)
    return torch.zeros(item.shape, dtype=dtype, device=device)
