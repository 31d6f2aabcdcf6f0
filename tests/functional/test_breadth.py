"""Breadth: 160 timm architectures and 43 transformers configurations, against independent counts.

Parameters against `numel`, output shapes against timm's own forward, MACs against torch's FlopCounterMode: on meta for
timm, in a real forward with plain attention for transformers.
"""

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import archscope
from archscope.targets.inputs import make_arguments
from archscope.targets.resolve import resolve_target

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def _list_families() -> list[str]:
    """One short name of each of timm's families, the first 160."""
    try:
        import timm
    except ImportError:
        return []
    families: dict[str, list[str]] = {}
    for name in timm.list_models():
        families.setdefault(name.split("_", maxsplit=1)[0].rstrip("0123456789"), []).append(name)
    return [min(names, key=len) for _, names in sorted(families.items())][:160]


@pytest.mark.parametrize("name", _list_families())
def test_timm_architectures(name: str) -> None:
    import timm

    summary = archscope.trace(f"timm:{name}")
    with torch.device("meta"):
        try:
            model = timm.create_model(name, pretrained=False)
        except (RuntimeError, NotImplementedError):
            model = None
    if model is None:
        model = timm.create_model(name, pretrained=False).to("meta")
    model = model.eval().requires_grad_(False)
    assert summary.trace.totals.params == sum(p.numel() for p in model.parameters())
    assert summary.costs.uncounted == ()
    image = torch.empty(1, *model.default_cfg["input_size"], device="meta")
    counter = FlopCounterMode(display=False)
    try:
        with torch.no_grad(), counter:
            output = model(image)
    except (RuntimeError, NotImplementedError):
        return  # the counter's plain meta pass cannot run it; parameters and completeness are checked above
    assert summary.costs.macs == counter.get_total_flops() // 2
    if isinstance(output, torch.Tensor):
        assert summary.trace.outputs[0].shape == tuple(output.shape)


TEXT: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "vocab_size": 64,
}
GROUPED: dict[str, Any] = dict(TEXT, num_key_value_heads=2, head_dim=8)
CONFIGURATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("LlamaForCausalLM", GROUPED),
    "mistral": ("MistralForCausalLM", GROUPED),
    "qwen2": ("Qwen2ForCausalLM", GROUPED),
    "qwen3": ("Qwen3ForCausalLM", GROUPED),
    "gemma": ("GemmaForCausalLM", GROUPED),
    "gemma2": ("Gemma2ForCausalLM", GROUPED),
    "phi": ("PhiForCausalLM", TEXT),
    "phi3": ("Phi3ForCausalLM", dict(GROUPED, pad_token_id=0)),
    "stablelm": ("StableLmForCausalLM", GROUPED),
    "olmo": ("OlmoForCausalLM", TEXT),
    "olmo2": ("Olmo2ForCausalLM", TEXT),
    "cohere": ("CohereForCausalLM", GROUPED),
    "starcoder2": ("Starcoder2ForCausalLM", GROUPED),
    "granite": ("GraniteForCausalLM", GROUPED),
    "mixtral": ("MixtralForCausalLM", dict(GROUPED, num_local_experts=4)),
    "qwen2_moe": (
        "Qwen2MoeForCausalLM",
        dict(GROUPED, num_experts=4, moe_intermediate_size=16, shared_expert_intermediate_size=16),
    ),
    "gpt_neox": ("GPTNeoXForCausalLM", TEXT),
    "gpt2": ("GPT2LMHeadModel", {"n_embd": 32, "n_layer": 2, "n_head": 4, "vocab_size": 64}),
    "gptj": ("GPTJForCausalLM", {"n_embd": 32, "n_layer": 2, "n_head": 4, "vocab_size": 64, "rotary_dim": 4}),
    "opt": (
        "OPTForCausalLM",
        {
            "hidden_size": 32,
            "ffn_dim": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "vocab_size": 64,
            "word_embed_proj_dim": 32,
        },
    ),
    "bloom": ("BloomForCausalLM", {"hidden_size": 32, "n_layer": 2, "n_head": 4, "vocab_size": 64}),
    "falcon": (
        "FalconForCausalLM",
        {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 64},
    ),
    "bert": ("BertModel", TEXT),
    "roberta": ("RobertaModel", TEXT),
    "distilbert": ("DistilBertModel", {"dim": 32, "hidden_dim": 64, "n_layers": 2, "n_heads": 4, "vocab_size": 64}),
    "albert": ("AlbertModel", dict(TEXT, embedding_size=16)),
    "electra": ("ElectraModel", dict(TEXT, embedding_size=16)),
    "deberta-v2": ("DebertaV2Model", TEXT),
    "mpnet": ("MPNetModel", TEXT),
    "xlm-roberta": ("XLMRobertaModel", TEXT),
    "t5": (
        "T5ForConditionalGeneration",
        {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4, "vocab_size": 64},
    ),
    "bart": (
        "BartForConditionalGeneration",
        {
            "d_model": 32,
            "encoder_layers": 2,
            "decoder_layers": 2,
            "encoder_attention_heads": 4,
            "decoder_attention_heads": 4,
            "encoder_ffn_dim": 64,
            "decoder_ffn_dim": 64,
            "vocab_size": 64,
        },
    ),
    "vit": ("ViTModel", dict(TEXT, image_size=32, patch_size=8)),
    "deit": ("DeiTModel", dict(TEXT, image_size=32, patch_size=8)),
    "beit": ("BeitModel", dict(TEXT, image_size=32, patch_size=8)),
    "dinov2": ("Dinov2Model", dict(TEXT, image_size=28, patch_size=14)),
    "swin": (
        "SwinModel",
        {"image_size": 32, "patch_size": 4, "embed_dim": 16, "depths": [2, 2], "num_heads": [2, 4], "window_size": 4},
    ),
    "convnext": ("ConvNextModel", {"hidden_sizes": [8, 16, 32, 64], "depths": [1, 1, 1, 1], "image_size": 64}),
    "resnet": ("ResNetModel", {"embedding_size": 16, "hidden_sizes": [16, 32, 64, 128], "depths": [1, 1, 1, 1]}),
    "segformer": ("SegformerModel", {"hidden_sizes": [8, 16, 32, 64], "depths": [1, 1, 1, 1]}),
    "mamba": ("MambaForCausalLM", {"hidden_size": 32, "num_hidden_layers": 2, "vocab_size": 64, "state_size": 4}),
    "clip": (
        "CLIPModel",
        {
            "text_config": TEXT,
            "vision_config": {
                "hidden_size": 32,
                "intermediate_size": 64,
                "num_hidden_layers": 2,
                "num_attention_heads": 4,
                "image_size": 32,
                "patch_size": 8,
            },
        },
    ),
    "wav2vec2": ("Wav2Vec2Model", dict(TEXT)),
}

HIDDEN_FROM_THE_COUNTER = {
    # Two layers, 3 x 5 tokens, two (four) experts each; gate, up and down projections of width 32 and 64 (32 and 16).
    "mixtral": 2 * 3 * 5 * 2 * 3 * 32 * 64,
    "qwen2_moe": 2 * 3 * 5 * 4 * 3 * 32 * 16,
}
"""MACs of grouped expert products, which FlopCounterMode does not know."""


@pytest.mark.parametrize("name", list(CONFIGURATIONS))
def test_transformers_architectures(name: str, tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="needs the extra hf")
    architecture, config = CONFIGURATIONS[name]
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**config, "model_type": name, "architectures": [architecture]}), encoding="utf-8")
    summary = archscope.trace(f"hf:{path}")
    target = resolve_target(f"hf:{path}", {})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model: Any = target.build().eval().requires_grad_(False)
    assert summary.trace.totals.params == sum(p.numel() for p in model.parameters())
    assert summary.costs.uncounted == ()
    model.config._attn_implementation = "eager"
    model.set_attn_implementation("eager")
    args, kwargs = make_arguments(target, model, (), torch.device("cpu"))
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        model(*args, **kwargs)
    assert summary.costs.macs == counter.get_total_flops() // 2 + HIDDEN_FROM_THE_COUNTER.get(name, 0)
