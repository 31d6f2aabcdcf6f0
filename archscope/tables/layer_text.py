"""Settings and shapes of a layer in the words people use for them: `7x7/2, pad 3`, `1x64x112x112`, `[55x55x96]`."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

from archscope.core.tensors import TensorSpec
from archscope.core.trace import LayerCall, Setting

Settings: TypeAlias = Mapping[str, Setting]

MOST_OUTPUTS = 3
"""Output shapes written out in one cell; the rest is counted."""


def format_shape(shape: Iterable[int]) -> str:
    """`(1, 64, 56, 56)` -> `1x64x56x56`; a tensor without dimensions is a `scalar`."""
    return "x".join(str(size) for size in shape) or "scalar"


def format_shapes(specs: Iterable[TensorSpec]) -> tuple[str, str]:
    """All shapes, and a text that lists the first ones: `1x1000, 1x1000`."""
    shapes = [format_shape(spec.shape) for spec in specs]
    listed = ", ".join(shapes[:MOST_OUTPUTS])
    more = len(shapes) - MOST_OUTPUTS
    return ", ".join(shapes), f"{listed} and {more} more" if more > 0 else listed


def format_size(value: Setting, rank: int = 0, default: int | None = None) -> str:
    """A size per dimension: `3` and `(3, 3)` -> `3x3` at rank 2; empty where every size is `default`."""
    sizes = value if isinstance(value, tuple) else (value,) * max(rank, 1)
    if not sizes or all(size == default for size in sizes):
        return ""
    return "x".join("*" if size is None else str(size) for size in sizes)


def format_uniform(value: Setting, default: int | None = None) -> str:
    """A size that is one number where all dimensions agree: `(2, 2)` -> `2`, `(2, 1)` -> `2x1`."""
    if isinstance(value, tuple) and value and all(size == value[0] for size in value):
        value = value[0]
    return format_size(value, 1, default)


def count_spatial(layer: LayerCall) -> int:
    """How many dimensions a kernel of this layer slides along, judged by its first output `(N, C, ...)`."""
    return len(layer.outputs[0].shape) - 2 if layer.outputs else 2


def describe_type(layer: LayerCall) -> str:
    """The class name and those settings that people write down: `MaxPool2d 3x3/2, pad 1`."""
    settings = dict(layer.settings)
    words = ", ".join(describe_settings(settings, count_spatial(layer)))
    return f"{layer.type} {words}" if words else layer.type


def describe_settings(settings: Settings, rank: int) -> list[str]:
    """The phrases for `settings`, most telling first; plain defaults are left out."""
    phrases = [_describe_kernel(settings, rank), _describe_output_size(settings, rank)]
    phrases += [describe(settings, settings[name]) for name, describe in _PHRASES.items() if name in settings]
    return [phrase for phrase in phrases if phrase]


def _describe_kernel(settings: Settings, rank: int) -> str:
    if "kernel_size" not in settings:
        return ""
    kernel = format_size(settings["kernel_size"], rank)
    stride = format_uniform(settings.get("stride"), 1)
    return f"{kernel}/{stride}" if stride and stride != "*" else kernel


def _describe_padding(settings: Settings, value: Setting) -> str:
    padding = format_uniform(value, 0)
    mode = settings.get("padding_mode", "zeros")
    if not padding or padding == "valid":
        return ""
    return f"pad {padding}" if mode == "zeros" else f"pad {padding} {mode}"


def _describe_groups(settings: Settings, value: Setting) -> str:
    if value == 1:
        return ""
    return "depthwise" if value == settings.get("in_channels") == settings.get("out_channels") else f"{value} groups"


def _plain(template: str, *silent: Setting) -> Callable[[Settings, Setting], str]:
    """A phrase with the value in it, left out where the value is None or one of `silent`."""

    def describe(_: Settings, value: Setting) -> str:
        if value is None or value in silent:
            return ""
        return template.format(format_uniform(value) if isinstance(value, tuple) else value)

    return describe


def _describe_output_size(settings: Settings, rank: int) -> str:
    """An adaptive pool's; where there is a kernel too, that says more."""
    if "output_size" not in settings or "kernel_size" in settings:
        return ""
    return format_size(settings["output_size"], rank)


def _describe_embedding(settings: Settings, value: Setting) -> str:
    return f"{value}x{settings.get('embedding_dim')}"


_PHRASES: dict[str, Callable[[Settings, Setting], str]] = {
    "padding": _describe_padding,
    "output_padding": _plain("output pad {}", 0, (0,), (0, 0), (0, 0, 0)),
    "dilation": lambda _, value: f"dilation {format_uniform(value)}" if format_uniform(value, 1) else "",
    "groups": _describe_groups,
    "ceil_mode": lambda _, value: "ceil" if value else "",
    "num_embeddings": _describe_embedding,
    "num_heads": _plain("{} heads"),
    "hidden_size": _plain("hidden {}"),
    "num_layers": _plain("{} layers", 1),
    "bidirectional": lambda _, value: "bidirectional" if value else "",
    "num_groups": _plain("{} groups"),
    "size": _plain("size {}"),
    "scale_factor": lambda _, value: f"x{format_uniform(value)}" if value is not None else "",
    "upscale_factor": _plain("x{}"),
    "p": _plain("{}", 0.0),
}
"""By setting, in the order of the text."""


def arrange_shape(shape: Sequence[int], *, channels_first: bool) -> str:
    """`(1, 96, 55, 55)` -> `55x55x96`; without the batch, and as it is where the channels are last already."""
    sizes = list(shape[1:]) if len(shape) > 1 else list(shape)
    if channels_first and len(sizes) > 1:
        sizes = [*sizes[1:], sizes[0]]
    return format_shape(sizes)
