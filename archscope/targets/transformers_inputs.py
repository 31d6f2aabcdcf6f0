"""The inputs that a transformers model usually takes.

A model of texts gets the dummy inputs that transformers itself defines for it (`dummy_inputs`: three texts of five
tokens). Where those lack an input that the model needs, or it cannot read three texts at once, the inputs are read
from the signature of its forward and its `main_input_name`, their sizes from its configuration, batch 1: 128 tokens,
one image of the configured size, one second of sound, one clip.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from torch import nn

from archscope.core.errors import TargetError
from archscope.modules import name_modules
from archscope.targets.target import InputTensor

TOKENS = 128
"""Length of a text where the model can read as much."""

_SIDES = {
    "detr": 800, "conditional_detr": 800, "deformable_detr": 800, "dab-detr": 800, "table-transformer": 800,
    "grounding-dino": 800, "mm-grounding-dino": 800, "rt_detr": 640, "rt_detr_v2": 640, "d_fine": 640,
    "sam2": 1024, "edgetam": 1024,
}  # fmt: skip
"""Sides of square images that configurations do not say: those of the models' image processors."""

_CLIP_TYPES = ("timesformer", "videomae", "vivit")
"""Models whose pixel values are (batch, frames, channels, height, width)."""

_SECTIONS = ("text_config", "vision_config", "audio_config", "backbone_config", "encoder", "decoder", "image_encoder")
"""Where composite configurations keep those of their parts."""

_PLACEHOLDERS = ("image", "img", "video", "audio", "speech", "vision", "media", "boi")
"""What the tokens are called that stand for pictures and sound in a conversation."""


def describe_inputs(module: nn.Module) -> tuple[InputTensor, ...]:
    """The inputs, all by keyword. Raises TargetError where nobody knows them."""
    parameters = inspect.signature(module.forward).parameters
    names = _choose_names(module, parameters)
    dummies = _read_dummies(module, parameters)
    if dummies and _suit(dummies, names, module):
        return dummies
    if names and all(name in _MAKERS for name in names):
        return tuple(_MAKERS[name](module) for name in names)
    if dummies and {item.name for item in dummies}.issuperset(_required(parameters)):
        return dummies
    wanted = " ".join(f"--input {name}=SHAPE" for name in names) or "--input NAME=SHAPE"
    raise TargetError(
        f"the usual inputs of {type(module).__name__} are not known; its forward takes {', '.join(parameters)}",
        f"give them: {wanted}, such as --input input_ids=1x128:int64",
    )


def _choose_names(module: nn.Module, parameters: Mapping[str, inspect.Parameter]) -> list[str]:
    """Which of forward's parameters to give: the main one, those without a default, and their usual companions."""
    main = getattr(module, "main_input_name", "input_ids")
    names = [name for name in ([main] if isinstance(main, str) else [*main]) if name in parameters]
    names += _required(parameters)
    config: Any = module.config
    if "input_ids" in names and not _is_conversation(config):
        names += [name for name in ("pixel_values", "input_features") if name in parameters and name not in names][:1]
    if "pixel_values" in names and "input_ids" in parameters and not _is_conversation(config):
        names.append("input_ids")
    if "bbox" in parameters and "input_ids" in names:
        names.append("bbox")
    if "decoder_input_ids" in parameters and getattr(config, "is_encoder_decoder", False):
        names.append("decoder_input_ids")
    return list(dict.fromkeys(names))


def _required(parameters: Mapping[str, inspect.Parameter]) -> list[str]:
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return [name for name, item in parameters.items() if item.kind in kinds and item.default is item.empty]


def _is_conversation(config: Any) -> bool:
    """Whether pictures and sound stand as tokens in the text, which then is the one input that a text alone makes."""
    ids = [name for name in config.to_dict() if name.endswith(("_token_id", "_token_index", "_token_ids"))]
    return any(name.startswith(_PLACEHOLDERS) for name in ids) or hasattr(config, "image_token_id")


def _read_dummies(module: nn.Module, parameters: Mapping[str, inspect.Parameter]) -> tuple[InputTensor, ...] | None:
    dummies = getattr(module, "dummy_inputs", None)
    if not isinstance(dummies, Mapping) or not all(name in parameters for name in dummies):
        return None
    return tuple(_describe_dummy(name, tensor, module) for name, tensor in dummies.items())


def _describe_dummy(name: str, tensor: Any, module: nn.Module) -> InputTensor:
    shape = tuple(tensor.shape)
    if name in _TEXTS:
        return replace(_MAKERS[name](module), shape=shape)
    dtype = None if tensor.is_floating_point() else str(tensor.dtype).removeprefix("torch.")
    return InputTensor(name, shape, dtype, fill=int(name.endswith("mask")))


def _suit(dummies: tuple[InputTensor, ...], names: list[str], module: nn.Module) -> bool:
    """Whether the dummies are all that is needed, the texts fit, and the model may be given more than one."""
    shapes = {item.name: item.shape for item in dummies}
    if not set(names) <= set(shapes) or not set(_TEXTS) & set(names):
        return False
    if any(word in type(module).__name__ for word in ("ForMultipleChoice", "ForSequenceClassification")):
        return False
    return all(shapes[name][-1] <= _MAKERS[name](module).shape[-1] for name in _TEXTS if name in shapes)


_TEXTS = ("input_ids", "decoder_input_ids")


# ------------------------------------------------------------------------------------------------- reading a config


def _read(config: Any, *names: str, default: Any = None) -> Any:
    """The first field of these names that is set, in the configuration itself and then in those of its parts."""
    places = [config, *(getattr(config, section, None) for section in _SECTIONS)]
    for place in places:
        for name in names:
            value = getattr(place, name, None) if place is not None else None
            if value is not None and not callable(value):
                return value
    return default


def _pair(size: Any) -> tuple[int, int]:
    if isinstance(size, Mapping):
        size = (size["height"], size["width"]) if "height" in size else size["shortest_edge"]
    return (size[0], size[-1]) if isinstance(size, (list, tuple)) else (size, size)


# ---------------------------------------------------------------------------------------------------------- text


def _text_length(module: nn.Module, *names: str) -> int:
    limit = _read(module.config, *names, default=TOKENS)
    limit = limit if isinstance(limit, int) and limit > 0 else TOKENS
    if _counts_from_padding(module) and limit < TOKENS + 8:
        limit -= 2
    return int(max(1, min(TOKENS, limit)))


def _counts_from_padding(module: nn.Module) -> bool:
    """RoBERTa and its kin number positions from `pad_token_id + 1`, so that two fewer fit."""
    return any(
        path.endswith("position_embeddings") and getattr(part, "padding_idx", None) is not None
        for path, part in name_modules(module)
    )


_LENGTHS = ("max_position_embeddings", "n_positions", "max_sequence_length", "seq_length")


def _make_input_ids(module: nn.Module) -> InputTensor:
    length = _text_length(module, *_LENGTHS)
    shape = (1, 2, length) if "ForMultipleChoice" in type(module).__name__ else (1, length)
    return InputTensor("input_ids", shape, "int64", fill=_choose_token(module))


def _make_decoder_input_ids(module: nn.Module) -> InputTensor:
    length = _text_length(module, "max_target_positions", "max_decoder_position_embeddings", *_LENGTHS)
    return InputTensor("decoder_input_ids", (1, length), "int64", fill=_choose_token(module))


def _choose_token(module: nn.Module) -> int:
    """A word: no token that means padding, an end or a picture; but an end where a whole text is classified by it."""
    config: Any = module.config
    fields = {key: value for key, value in config.to_dict().items() if key.endswith(("token_id", "token_index"))}
    end = fields.get("eos_token_id")
    if "ForSequenceClassification" in type(module).__name__ and isinstance(end, int):
        return end
    special = {value for value in fields.values() if isinstance(value, int)}
    return next(token for token in range(len(special) + 1) if token not in special)


def _make_ones(name: str) -> Callable[[nn.Module], InputTensor]:
    def make(module: nn.Module) -> InputTensor:
        return InputTensor(name, (1, _text_length(module, *_LENGTHS)), "int64", fill=1)

    return make


def _make_boxes(module: nn.Module) -> InputTensor:
    return InputTensor("bbox", (1, _text_length(module, *_LENGTHS), 4), "int64")


# -------------------------------------------------------------------------------------------------------- pictures


def _image_size(module: nn.Module) -> tuple[int, int]:
    config: Any = module.config
    default = _SIDES.get(config.model_type, 224)
    return _pair(_read(config, "image_size", "crop_size", "input_size", default=default))


def _channels(module: nn.Module) -> int:
    return int(_read(module.config, "num_channels", "in_channels", "num_image_channels", default=3))


def _make_pixel_values(module: nn.Module) -> InputTensor:
    config: Any = module.config
    image = (_channels(module), *_image_size(module))
    clip = (_read(config, "num_frames", default=16),) if config.model_type in _CLIP_TYPES else ()
    return InputTensor("pixel_values", (1, *clip, *image))


def _make_clip(module: nn.Module) -> InputTensor:
    frames = _read(module.config, "frames_per_clip", "num_frames", default=16)
    return InputTensor("pixel_values_videos", (1, frames, _channels(module), *_image_size(module)))


def _make_patches(module: nn.Module) -> InputTensor:
    side = _read(module.config, "patch_size", default=16)
    return InputTensor("flattened_patches", (1, 2048, 2 + 3 * side * side))


# ----------------------------------------------------------------------------------------------------------- sound


def _make_input_values(module: nn.Module) -> InputTensor:
    config: Any = module.config
    if config.model_type == "audio-spectrogram-transformer":
        return InputTensor("input_values", (1, config.max_length, config.num_mel_bins))
    rate = _read(config, "sampling_rate", default=16_000)
    channels = _read(config, "audio_channels", "input_channels")
    if channels is not None or config.model_type in ("dac", "xcodec"):
        return InputTensor("input_values", (1, channels or 1, rate))
    return InputTensor("input_values", (1, 16_000))


def _make_input_features(module: nn.Module) -> InputTensor:
    """Mel features: (1, bins, frames) for Whisper and its kin, (1, frames, bins) for the others."""
    config: Any = module.config
    bins = _read(config, "num_mel_bins", "n_mels", "input_feat_per_channel", "input_dim", default=80)
    if config.model_type.startswith("clap"):
        return InputTensor("input_features", (1, 1, 1001, 64))
    if config.model_type.startswith(("whisper", "qwen2_audio", "voxtral")):
        return InputTensor("input_features", (1, bins, 2 * _read(config, "max_source_positions", default=1500)))
    features = _read(config, "feature_projection_input_dim", default=bins)
    return InputTensor("input_features", (1, 400, features))


# ------------------------------------------------------------------------------------------------------------- time


def _make_past_values(module: nn.Module) -> InputTensor:
    config: Any = module.config
    channels = getattr(config, "num_input_channels", None)
    if channels is not None:
        return InputTensor("past_values", (1, config.context_length, channels))
    return InputTensor("past_values", (1, _past_length(config)))


def _past_length(config: Any) -> int:
    return int(config.context_length + max(getattr(config, "lags_sequence", None) or (0,)))


def _make_time_features(module: nn.Module) -> InputTensor:
    config: Any = module.config
    return InputTensor("past_time_features", (1, _past_length(config), getattr(config, "num_time_features", 0)))


def _make_observed_mask(module: nn.Module) -> InputTensor:
    return InputTensor("past_observed_mask", (1, _past_length(module.config)), fill=1)


_MAKERS: Mapping[str, Callable[[nn.Module], InputTensor]] = {
    "input_ids": _make_input_ids,
    "decoder_input_ids": _make_decoder_input_ids,
    "attention_mask": _make_ones("attention_mask"),
    "token_type_ids": _make_ones("token_type_ids"),
    "bbox": _make_boxes,
    "pixel_values": _make_pixel_values,
    "pixel_values_videos": _make_clip,
    "flattened_patches": _make_patches,
    "input_values": _make_input_values,
    "input_features": _make_input_features,
    "past_values": _make_past_values,
    "past_time_features": _make_time_features,
    "past_observed_mask": _make_observed_mask,
}
