"""Models of transformers, from small configurations on disk."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from archscope.core.errors import ArchscopeError, TargetError, UnknownNameError
from archscope.targets.resolve import resolve_target
from archscope.targets.target import InputTensor, Target, build_arguments

pytest.importorskip("transformers", reason="needs the extra hf")

TEXT = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32, "vocab_size": 50}
BERT: dict[str, Any] = {"model_type": "bert", "architectures": ["BertForMaskedLM"], **TEXT}
LLAMA: dict[str, Any] = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], **TEXT}
T5 = {"model_type": "t5", "d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_heads": 2, "vocab_size": 50}
BART = {"model_type": "bart", "d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2,
        "decoder_attention_heads": 2, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32, "vocab_size": 50,
        "max_position_embeddings": 40}  # fmt: skip
PICTURE = {"image_size": 32, "patch_size": 8, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
           "intermediate_size": 32}  # fmt: skip
CLIP = {"model_type": "clip", "projection_dim": 8, "text_config": {**TEXT, "max_position_embeddings": 20},
        "vision_config": PICTURE}  # fmt: skip
WHISPER = {"model_type": "whisper", "d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "num_mel_bins": 80,
           "encoder_attention_heads": 2, "decoder_attention_heads": 2, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32,
           "max_source_positions": 50, "max_target_positions": 30, "vocab_size": 60, "pad_token_id": 1,
           "bos_token_id": 2, "eos_token_id": 3, "decoder_start_token_id": 4}  # fmt: skip
SOUND = {"model_type": "wav2vec2", **TEXT, "conv_dim": [8, 8], "conv_stride": [5, 2], "conv_kernel": [10, 3],
         "num_feat_extract_layers": 2, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 2}  # fmt: skip
CLIPS = {"model_type": "videomae", **PICTURE, "num_frames": 4, "tubelet_size": 2}
TIMES = {"model_type": "patchtst", "context_length": 32, "num_input_channels": 3, "d_model": 16, "ffn_dim": 32,
         "num_attention_heads": 2, "num_hidden_layers": 1, "patch_length": 4, "patch_stride": 4}  # fmt: skip


def write(folder: Path, config: object) -> Path:
    path = folder / "config.json"
    path.write_text(json.dumps(config), encoding="utf-8")
    return path


def make(item: InputTensor) -> torch.Tensor:
    if item.dtype is None:
        return torch.randn(item.shape)
    return torch.full(item.shape, item.fill or 0, dtype=getattr(torch, item.dtype))


def inputs_of(target: Target, module: nn.Module) -> tuple[InputTensor, ...]:
    assert target.default_inputs is not None
    return target.default_inputs(module)


@pytest.mark.parametrize(
    ("config", "name", "shapes"),
    [
        (BERT, "BertForMaskedLM", {"input_ids": (3, 5)}),
        ({**BERT, "architectures": ["BertForMultipleChoice"]}, "BertForMultipleChoice", {"input_ids": (1, 2, 128)}),
        ({"model_type": "roberta", **TEXT, "max_position_embeddings": 42}, "RobertaModel", {"input_ids": (3, 5)}),
        (LLAMA, "LlamaForCausalLM", {"input_ids": (3, 5)}),
        (T5, "T5Model", {"input_ids": (3, 5), "decoder_input_ids": (3, 5), "decoder_attention_mask": (3, 5)}),
        ({**T5, "architectures": ["T5EncoderModel"]}, "T5EncoderModel", {"input_ids": (1, 128)}),
        (
            {**BART, "architectures": ["BartForSequenceClassification"]},
            "BartForSequenceClassification",
            {"input_ids": (1, 40), "decoder_input_ids": (1, 40)},
        ),
        ({"model_type": "vit", **PICTURE, "num_channels": 1}, "ViTModel", {"pixel_values": (1, 1, 32, 32)}),
        (CLIP, "CLIPModel", {"input_ids": (1, 20), "pixel_values": (1, 3, 32, 32)}),
        (WHISPER, "WhisperModel", {"input_features": (1, 80, 100), "decoder_input_ids": (1, 30)}),
        (SOUND, "Wav2Vec2Model", {"input_values": (1, 16_000)}),
        (CLIPS, "VideoMAEModel", {"pixel_values": (1, 4, 3, 32, 32)}),
        (TIMES, "PatchTSTModel", {"past_values": (1, 32, 3)}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_usual_inputs_run(tmp_path: Path, config: Any, name: str, shapes: dict[str, tuple[int, ...]]) -> None:
    target = resolve_target(f"hf:{write(tmp_path, config)}", {})
    module = target.build().eval()
    assert type(module).__name__ == name
    inputs = inputs_of(target, module)
    assert {item.name: item.shape for item in inputs} == shapes
    args, kwargs = build_arguments(inputs, make)
    with torch.no_grad():
        module(*args, **kwargs)


def test_the_parameters_of_a_decoder_are_those_of_its_formula(tmp_path: Path) -> None:
    target = resolve_target(f"hf:{write(tmp_path, LLAMA).parent}", {"num_hidden_layers": 3, "vocab_size": 100})
    with torch.device("meta"):
        module = target.build()
    layer = 4 * 16 * 16 + 3 * 16 * 32 + 2 * 16
    assert sum(p.numel() for p in module.parameters()) == 2 * 100 * 16 + 3 * layer + 16
    assert target.arguments == {"num_hidden_layers": 3, "vocab_size": 100}
    with torch.device("meta"):
        assert target.build() is not module


@pytest.mark.parametrize(
    ("auto", "name"), [("AutoModel", "BertModel"), ("AutoModelForTokenClassification", "BertForTokenClassification"),
                       ("BertForNextSentencePrediction", "BertForNextSentencePrediction")],
)  # fmt: skip
def test_the_class_can_be_chosen(tmp_path: Path, auto: str, name: str) -> None:
    assert type(resolve_target(f"hf:{write(tmp_path, BERT)}", {"auto": auto}).build()).__name__ == name


@pytest.mark.parametrize("field", ["dtype", "torch_dtype"])
def test_the_dtype_of_the_configuration_is_respected(tmp_path: Path, field: str) -> None:
    module = resolve_target(f"hf:{write(tmp_path, {**BERT, field: 'bfloat16'})}", {}).build()
    assert {parameter.dtype for parameter in module.parameters()} == {torch.bfloat16}
    assert torch.get_default_dtype() is torch.float32


def test_nested_fields_are_changed_one_by_one(tmp_path: Path) -> None:
    target = resolve_target(f"hf:{write(tmp_path, CLIP)}", {"vision_config": {"image_size": 64}})
    module = target.build()
    assert {item.name: item.shape for item in inputs_of(target, module)}["pixel_values"] == (1, 3, 64, 64)
    assert module.get_submodule("vision_model.embeddings").num_patches == 64  # (64 / 8) squared: patch_size stayed


def test_code_that_a_configuration_brings_is_not_run(tmp_path: Path) -> None:
    brought = {"auto_map": {"AutoModelForMaskedLM": "someone/else--modeling.Model"}}
    target = resolve_target(f"hf:{write(tmp_path, {**BERT, **brought})}", {})
    assert type(target.build()).__name__ == "BertForMaskedLM"
    assert any("auto_map" in note for note in target.notes)
    with pytest.raises(TargetError, match="never run"):
        resolve_target(f"hf:{write(tmp_path, {'model_type': 'own_kind', **brought})}", {})


def test_a_quantized_checkpoint_is_said_to_be_one(tmp_path: Path) -> None:
    target = resolve_target(f"hf:{write(tmp_path, {**BERT, 'quantization_config': {'quant_method': 'fp8'}})}", {})
    assert any("before quantization" in note for note in target.notes)


def test_an_architecture_alone_says_the_kind(tmp_path: Path) -> None:
    config = {key: value for key, value in BERT.items() if key != "model_type"}
    assert type(resolve_target(f"hf:{write(tmp_path, config)}", {}).build()).__name__ == "BertForMaskedLM"


@pytest.mark.parametrize(
    ("config", "arguments", "told"),
    [
        ({"model_type": "brt"}, {}, "bert"),
        ({**BERT, "architectures": ["BertForMaskdLM"]}, {}, "BertForMaskedLM"),
        (BERT, {"auto": "AutoModelForCausaLM"}, "AutoModelForCausalLM"),
        (BERT, {"auto": "BertTokenizer"}, "--arg auto="),
        (BERT, {"hiden_size": 8}, "hidden_size"),
        (BERT, {"hidden_size": "wide"}, "refused by BertConfig"),
        (BERT, {"hidden_size": 15}, "attention heads"),
        ({"model_type": "clap_audio_model"}, {}, "ClapAudioModel"),
        ({"name": "x"}, {}, "no model_type"),
        ({"architectures": ["Nothing"]}, {}, "model_type"),
        ([1], {}, "no transformers configuration"),
    ],
)
def test_mistakes(tmp_path: Path, config: object, arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(ArchscopeError) as caught:
        resolve_target(f"hf:{write(tmp_path, config)}", arguments).build()
    assert told in f"{caught.value.message}; {caught.value.remedy}"
    assert caught.value.exit_code == 2


def test_files_that_are_none(tmp_path: Path) -> None:
    for place in ("bert-base-uncased", str(tmp_path), ""):
        with pytest.raises(TargetError, match="no file") as caught:
            resolve_target(f"hf:{place}", {})
        assert "nothing is downloaded" in caught.value.remedy
    (tmp_path / "config.json").write_text("{", encoding="utf-8")
    with pytest.raises(TargetError, match="as JSON"):
        resolve_target(f"hf:{tmp_path}", {})


def test_unknown_inputs_are_asked_for(tmp_path: Path) -> None:
    config = {"model_type": "perceiver", "num_latents": 4, "d_latents": 8, "d_model": 8}
    config |= {"num_self_attends_per_block": 1, "num_self_attention_heads": 2, "num_cross_attention_heads": 2}
    target = resolve_target(f"hf:{write(tmp_path, config)}", {})
    with pytest.raises(TargetError, match="usual inputs of PerceiverModel are not known") as caught:
        inputs_of(target, target.build())
    assert "--input inputs=SHAPE" in caught.value.remedy


def test_no_backbone_is_looked_for_on_the_hub(tmp_path: Path) -> None:
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    config = {"model_type": "upernet", "backbone": "someone/backbone", "use_timm_backbone": False}
    with pytest.raises(TargetError):
        resolve_target(f"hf:{write(tmp_path, config)}", {}).build()
    assert constants.HF_HUB_OFFLINE is before


def test_an_unknown_name_is_an_unknown_name_error(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError) as caught:
        resolve_target(f"hf:{write(tmp_path, BERT)}", {"hiden_size": 8})
    assert caught.value.suggestions[0] == "hidden_size"
