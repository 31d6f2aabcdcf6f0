"""A module goes in; those of its settings that are plain data come out, by the names torch gives them."""

from typing import Any

from torch import nn

from archscope.core.trace import Setting

SETTING_NAMES = (
    "in_channels", "out_channels", "in_features", "out_features", "in1_features", "in2_features", "num_features",
    "num_channels", "num_groups", "num_embeddings", "embedding_dim", "padding_idx", "embed_dim", "num_heads", "kdim",
    "vdim", "input_size", "hidden_size", "num_layers", "proj_size", "bidirectional", "batch_first", "nonlinearity",
    "kernel_size", "stride", "padding", "dilation", "output_padding", "groups", "transposed", "padding_mode",
    "ceil_mode", "count_include_pad", "divisor_override", "output_size", "normalized_shape", "eps", "momentum",
    "affine", "elementwise_affine", "track_running_stats", "p", "dropout", "inplace", "negative_slope", "alpha",
    "beta", "k", "size", "scale_factor", "mode", "align_corners", "upscale_factor", "start_dim", "end_dim", "dim",
    "unflattened_size", "approximate", "norm_first", "num_parameters", "bias",
)  # fmt: skip
"""Constructor settings of torch's own modules, in the order they are shown."""


def read_settings(module: nn.Module) -> tuple[tuple[str, Setting], ...]:
    """The settings of `module` among `SETTING_NAMES`; `bias` is true where there is a bias."""
    found: list[tuple[str, Setting]] = []
    for name in SETTING_NAMES:
        if name in module.__dict__:
            value = module.__dict__[name]
        elif name == "bias" and name in module._parameters:
            value = module._parameters[name] is not None
        else:
            continue
        plain = to_setting(value)
        if plain is not _NOT_PLAIN:
            found.append((name, plain))
    return tuple(found)


_NOT_PLAIN: Any = object()
_DEEPEST = 8


def to_setting(value: Any, depth: int = 0) -> Any:
    """`value` where it is plain data (lists become tuples), else a marker that `is_plain` knows."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (tuple, list)):
        if depth > _DEEPEST:
            return _NOT_PLAIN
        items = tuple(to_setting(item, depth + 1) for item in value)
        return _NOT_PLAIN if any(item is _NOT_PLAIN for item in items) else items
    return _NOT_PLAIN


def is_plain(value: Any) -> bool:
    """Whether `to_setting` could turn its argument into plain data."""
    return value is not _NOT_PLAIN
