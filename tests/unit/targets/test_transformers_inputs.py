"""The inputs read from a configuration and the signature of forward, with stand-ins for the models of transformers."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from archscope.core.errors import TargetError
from archscope.targets.transformers_inputs import describe_inputs


class Config(SimpleNamespace):
    def to_dict(self) -> dict[str, Any]:
        return dict(vars(self))


class Model(nn.Module):
    """Its forward and its configuration are what counts."""

    dummy_inputs: dict[str, torch.Tensor] | None = None

    def __init__(self, main: str, **fields: Any) -> None:
        super().__init__()
        self.config = Config(**{"model_type": "kind", **fields})
        self.main_input_name = main


class Document(Model):
    def forward(self, input_ids: Any = None, bbox: Any = None, pixel_values: Any = None) -> None: ...


class Talk(Model):
    def forward(self, input_ids: Any = None, pixel_values: Any = None, input_features: Any = None) -> None: ...


class Picture(Model):
    def forward(self, pixel_values: Any, input_ids: Any = None) -> None: ...


class Clip(Model):
    def forward(self, pixel_values_videos: Any) -> None: ...


class Patches(Model):
    def forward(self, flattened_patches: Any = None) -> None: ...


class Sound(Model):
    def forward(self, input_values: Any) -> None: ...


class Features(Model):
    def forward(self, input_features: Any, attention_mask: Any, decoder_input_ids: Any = None) -> None: ...


class Series(Model):
    def forward(self, past_values: Any, past_time_features: Any, past_observed_mask: Any) -> None: ...


class Odd(Model):
    def forward(self, hidden_states: Any, grid: Any) -> None: ...


IMAGE = (1, 3, 224, 224)
FOUR_SIDES = {"height": 32, "width": 48}


@pytest.mark.parametrize(
    ("module", "shapes"),
    [
        (Document("input_ids"), {"input_ids": (1, 128), "pixel_values": IMAGE, "bbox": (1, 128, 4)}),
        (Talk("input_ids", image_token_id=7), {"input_ids": (1, 128)}),
        (Talk("input_ids", text_config=SimpleNamespace(n_positions=32)), {"input_ids": (1, 32), "pixel_values": IMAGE}),
        (Picture("pixel_values", image_size=FOUR_SIDES), {"pixel_values": (1, 3, 32, 48), "input_ids": (1, 128)}),
        (Picture("pixel_values", image_size={"shortest_edge": 64}, audio_token_id=1), {"pixel_values": (1, 3, 64, 64)}),
        (Picture("pixel_values", model_type="detr", boi_token_id=1), {"pixel_values": (1, 3, 800, 800)}),
        (Clip("pixel_values_videos", frames_per_clip=8, crop_size=64), {"pixel_values_videos": (1, 8, 3, 64, 64)}),
        (Patches("flattened_patches", patch_size=4), {"flattened_patches": (1, 2048, 2 + 3 * 16)}),
        (Sound("input_values"), {"input_values": (1, 16_000)}),
        (Sound("input_values", audio_channels=2, sampling_rate=24_000), {"input_values": (1, 2, 24_000)}),
        (
            Sound("input_values", model_type="audio-spectrogram-transformer", max_length=9, num_mel_bins=4),
            {"input_values": (1, 9, 4)},
        ),
        (
            Features(
                "input_features", is_encoder_decoder=True, max_target_positions=20, feature_projection_input_dim=6
            ),
            {"input_features": (1, 400, 6), "attention_mask": (1, 128), "decoder_input_ids": (1, 20)},
        ),
        (
            Features("input_features", model_type="clap_audio_model"),
            {"input_features": (1, 1, 1001, 64), "attention_mask": (1, 128)},
        ),
        (
            Series("past_values", context_length=24, lags_sequence=[1, 7], num_time_features=2),
            {"past_values": (1, 31), "past_time_features": (1, 31, 2), "past_observed_mask": (1, 31)},
        ),
    ],
)
def test_inputs_follow_the_configuration(module: Model, shapes: dict[str, tuple[int, ...]]) -> None:
    assert {item.name: item.shape for item in describe_inputs(module)} == shapes


def test_a_word_is_no_special_token() -> None:
    (item,) = describe_inputs(Talk("input_ids", pad_token_id=0, bos_token_id=1, eos_token_id=2, image_token_id=9))
    assert (item.dtype, item.fill) == ("int64", 3)


def test_dummy_inputs_stand_in_where_they_cover_forward() -> None:
    module = Odd("hidden_states")
    module.dummy_inputs = {"hidden_states": torch.zeros(2, 5), "grid": torch.zeros(1, 3, dtype=torch.int32)}
    found = [(item.name, item.shape, item.dtype) for item in describe_inputs(module)]
    assert found == [("hidden_states", (2, 5), None), ("grid", (1, 3), "int32")]
    module.dummy_inputs = {"hidden_states": torch.zeros(2, 5)}
    with pytest.raises(TargetError, match="not known; its forward takes hidden_states, grid") as caught:
        describe_inputs(module)
    assert "--input hidden_states=SHAPE --input grid=SHAPE" in caught.value.remedy


def test_texts_are_the_dummies_of_transformers_where_they_fit() -> None:
    dummies = {"input_ids": torch.tensor([[7, 6, 0, 0, 1], [1, 2, 3, 0, 0], [0, 0, 0, 4, 5]])}
    module = Document("input_ids", pad_token_id=0)
    module.dummy_inputs = dummies
    assert [item.name for item in describe_inputs(module)] == ["input_ids", "pixel_values", "bbox"]
    talk = Talk("input_ids", pad_token_id=0, image_token_id=9, max_position_embeddings=64)
    talk.dummy_inputs = dummies
    (item,) = describe_inputs(talk)
    assert (item.name, item.shape, item.dtype, item.fill) == ("input_ids", (3, 5), "int64", 1)
    talk.config.max_position_embeddings = 4
    assert [item.shape for item in describe_inputs(talk)] == [(1, 4)]
