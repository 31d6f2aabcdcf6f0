"""Odd modules, each with a hand-made count: they run, count exactly, and are left as they were."""

import threading
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint

import archscope
from archscope.core.words import TraceOptions, parse_input


def lstm_macs(steps: int, width: int, hidden: int, *, gates: int = 4, project: int = 0) -> int:
    back = project or hidden
    return steps * (gates * hidden * (width + back) + project * hidden)


class Call(nn.Module):
    """A module around a function of its input and one linear layer of four features."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)
        self.function = function

    def forward(self, *inputs: Any, **named: Any) -> Any:
        return self.function(self.layer, *inputs, **named)


class Double(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        return x @ w

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> Any:
        return grads[0], None


def read_values(layer: nn.Module, x: torch.Tensor) -> torch.Tensor:
    for _ in range(int(x.abs().sum().item() > 0) + 1):
        x = layer(x)
    return x[x > 0]


def read_constants(layer: nn.Module, x: torch.Tensor) -> torch.Tensor:
    for _ in range(int(torch.arange(4).max())):
        x = layer(x)
    return x[:, torch.tensor([True, False, True, True])]


def read_a_list(layer: nn.Module, x: torch.Tensor) -> torch.Tensor:
    for index in torch.arange(3).tolist():
        x = layer(x[: 2 - min(index, 1)])
    return x


def recurse(layer: nn.Module, x: torch.Tensor, depth: int = 3) -> torch.Tensor:
    return x if depth == 0 else recurse(layer, layer(x), depth - 1)


def compiled() -> nn.Module:
    module = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU())
    module.compile()
    return module


def scripted() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.script(nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU()))


def old_weight_norm() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return nn.utils.weight_norm(nn.Linear(4, 4))


def quantized() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(4, 4)), {nn.Linear})


def tied() -> nn.Module:
    first, second = nn.Linear(4, 4), nn.Linear(4, 4)
    second.weight = first.weight
    return nn.Sequential(first, second)


def nested(levels: int) -> nn.Module:
    module: nn.Module = nn.Linear(4, 4)
    for _ in range(levels):
        module = nn.Sequential(module)
    return module


IMAGE, ROWS, TOKENS = torch.ones(1, 3, 8, 8), torch.ones(2, 4), torch.ones(2, 10, 64)
STEPS, HEADS, KEYS = torch.ones(7, 3, 16), torch.ones(2, 8, 10, 16), torch.ones(2, 8, 20, 16)
ATTENTION = 20 * 64 * 64 * 4 + 2 * (2 * 10 * 10 * 64)
ENCODER = ATTENTION + 20 * 64 * 128 * 2
SDPA = F.scaled_dot_product_attention

CASES: dict[str, tuple[Any, tuple[Any, ...], dict[str, Any], int]] = {
    "lstm": (lambda: nn.LSTM(16, 32), (STEPS,), {}, lstm_macs(21, 16, 32)),
    "lstm both ways": (lambda: nn.LSTM(16, 32, bidirectional=True), (STEPS,), {}, 2 * lstm_macs(21, 16, 32)),
    "lstm projected": (lambda: nn.LSTM(16, 32, proj_size=8), (STEPS,), {}, lstm_macs(21, 16, 32, project=8)),
    "gru": (lambda: nn.GRU(16, 32), (STEPS,), {}, lstm_macs(21, 16, 32, gates=3)),
    "rnn": (lambda: nn.RNN(16, 32), (STEPS,), {}, lstm_macs(21, 16, 32, gates=1)),
    "gru cell": (lambda: nn.GRUCell(16, 32), (torch.ones(3, 16),), {}, lstm_macs(3, 16, 32, gates=3)),
    "attention": (lambda: nn.MultiheadAttention(64, 4, batch_first=True), (TOKENS,) * 3, {}, ATTENTION),
    "attention, no weights": (
        lambda: nn.MultiheadAttention(64, 4, batch_first=True),
        (TOKENS,) * 3,
        {"need_weights": False},
        ATTENTION,
    ),
    "encoder layer": (lambda: nn.TransformerEncoderLayer(64, 4, 128, batch_first=True), (TOKENS,), {}, ENCODER),
    "encoder": (
        lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(64, 4, 128, batch_first=True), 2),
        (TOKENS,),
        {"src_key_padding_mask": torch.zeros(2, 10, dtype=torch.bool)},
        2 * ENCODER,
    ),
    "sdpa": (lambda: Call(lambda _, q, k: SDPA(q, k, k)), (HEADS, KEYS), {}, 2 * 8 * 10 * 20 * 32),
    "sdpa causal": (lambda: Call(lambda _, q: SDPA(q, q, q, is_causal=True)), (HEADS,), {}, 2 * 8 * 10 * 10 * 32),
    "grouped queries": (
        lambda: Call(lambda _, q, k: SDPA(q, k, k, enable_gqa=True)),
        (HEADS, KEYS[:, :2]),
        {},
        2 * 8 * 10 * 20 * 32,
    ),
    "einsum": (
        lambda: Call(lambda _, x, w: torch.einsum("bi,gio->bgo", x, w)),
        (torch.ones(3, 16), torch.ones(4, 16, 8)),
        {},
        3 * 4 * 16 * 8,
    ),
    "baddbmm": (
        lambda: Call(lambda _, a, b: torch.baddbmm(torch.ones(1), a, b)),
        (torch.ones(4, 2, 3), torch.ones(4, 3, 5)),
        {},
        4 * 2 * 3 * 5,
    ),
    "bilinear": (lambda: nn.Bilinear(5, 6, 7), (torch.ones(3, 5), torch.ones(3, 6)), {}, 3 * 7 * 5 * 6),
    "transposed": (lambda: nn.ConvTranspose2d(4, 6, 3, 2, groups=2), (torch.ones(1, 4, 5, 5),), {}, 4 * 25 * 3 * 9),
    "dilated line": (lambda: nn.Conv1d(4, 6, 3, dilation=2), (torch.ones(4, 20),), {}, 6 * 16 * 12),
    "volume": (lambda: nn.Conv3d(4, 6, 3, padding="same"), (torch.ones(1, 4, 5, 5, 5),), {}, 6 * 125 * 4 * 27),
    "circular": (
        lambda: nn.Conv2d(4, 6, 3, padding=1, padding_mode="circular"),
        (torch.ones(1, 4, 5, 5),),
        {},
        6 * 25 * 36,
    ),
    "scripted": (scripted, (IMAGE,), {}, 8 * 36 * 27),
    "compiled": (compiled, (IMAGE,), {}, 8 * 36 * 27),
    "torch.compile": (lambda: torch.compile(nn.Conv2d(3, 8, 3)), (IMAGE,), {}, 8 * 36 * 27),
    "data parallel": (lambda: nn.DataParallel(nn.Linear(4, 4)), (ROWS,), {}, 32),
    "weight norm": (lambda: nn.utils.parametrizations.weight_norm(nn.Linear(4, 4)), (ROWS,), {}, 32),
    "old weight norm": (old_weight_norm, (ROWS,), {}, 32),
    "values": (lambda: Call(read_values), (ROWS,), {}, 64),
    "constants": (lambda: Call(read_constants), (ROWS,), {}, 96),
    "constants as a list": (lambda: Call(read_a_list), (ROWS,), {}, (2 + 1 + 1) * 16),
    "experts in float32": (
        lambda: Call(lambda _, x, w, o: torch._grouped_mm(x, w, offs=o)),
        (torch.ones(12, 8), torch.ones(3, 8, 16), torch.tensor([4, 8, 12], dtype=torch.int32)),
        {},
        12 * 8 * 16,
    ),
    "recursive": (lambda: Call(recurse), (ROWS,), {}, 96),
    "autograd function": (lambda: Call(lambda layer, x: Double.apply(x, layer.weight)), (ROWS,), {}, 32),
    "checkpoint": (lambda: Call(lambda layer, x: checkpoint(layer, x, use_reentrant=False)), (ROWS,), {}, 32),
    "autocast": (
        lambda: Call(lambda layer, x: torch.autocast("cpu", torch.bfloat16).__call__(layer)(x)),
        (ROWS,),
        {},
        32,
    ),
    "dictionary": (
        lambda: Call(lambda layer, d, flag: {"a": layer(d["x"]), "b": [d["y"][0], None], "c": flag}),
        ({"x": ROWS, "y": [torch.ones(3)]},),
        {"flag": False},
        32,
    ),
    "chain": (lambda: nn.Sequential(*(nn.Linear(4, 4) for _ in range(1000))), (ROWS,), {}, 32_000),
    "nested": (lambda: nested(100), (ROWS,), {}, 32),
    "tied": (tied, (ROWS,), {}, 64),
    "half": (lambda: nn.Linear(4, 4).half(), (ROWS.half(),), {}, 32),
    "bfloat16": (lambda: nn.Conv2d(3, 8, 3).bfloat16(), (IMAGE.bfloat16(),), {}, 8 * 36 * 27),
    "complex": (lambda: nn.Linear(4, 4).to(torch.complex64), (ROWS.to(torch.complex64),), {}, 32),
    "complex convolution": (
        lambda: nn.Conv2d(3, 8, 3).to(torch.complex64),
        (IMAGE.to(torch.complex64),),
        {},
        8 * 36 * 27,  # torch computes it as three real ones; one multiply-accumulate of complex numbers is one MAC
    ),
    "embedding bag": (lambda: nn.EmbeddingBag(10, 4), (torch.tensor([1, 2, 3]), torch.tensor([0, 2])), {}, 0),
    "quantized": (quantized, (ROWS,), {}, 32),
    "experts": (
        lambda: Call(lambda _, x, w, o: torch._grouped_mm(x, w, offs=o)),
        (
            torch.ones(12, 8, dtype=torch.bfloat16),
            torch.ones(3, 8, 16, dtype=torch.bfloat16),
            torch.tensor([4, 8, 12], dtype=torch.int32),
        ),
        {},
        12 * 8 * 16,
    ),
    "no parameters": (nn.Identity, (ROWS,), {}, 0),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
@pytest.mark.parametrize("name", list(CASES))
def test_odd_modules_count_exactly_and_stay_as_they_were(
    name: str, training: bool, fingerprint: Callable[..., Any]
) -> None:
    make, args, kwargs, macs = CASES[name]
    module = make().train(training)
    # What TorchScript and packed weights hold cannot be looked into: their state is compared below.
    opaque = isinstance(module, torch.jit.ScriptModule) or name == "quantized"
    before = None if opaque else fingerprint(module, *args)
    state = {key: value.clone() for key, value in module.state_dict().items() if isinstance(value, torch.Tensor)}
    generator = torch.get_rng_state()
    summary = archscope.trace(module, *args, **kwargs)
    assert summary.costs.macs == macs, summary.costs.uncounted
    assert summary.costs.uncounted == ()
    assert module.training is training
    assert torch.equal(torch.get_rng_state(), generator)
    assert before is None or fingerprint(module, *args) == before
    after = module.state_dict()
    assert all(torch.equal(after[key], value) for key, value in state.items() if not value.is_quantized)


@pytest.mark.filterwarnings("ignore")
def test_the_packed_sequence_needs_values_and_says_so() -> None:
    class Packed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(16, 32, batch_first=True)

        def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
            packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
            return nn.utils.rnn.pad_packed_sequence(self.lstm(packed)[0], batch_first=True)[0]

    summary = archscope.trace(Packed(), torch.ones(3, 7, 16), torch.tensor([7, 5, 2]))
    assert summary.trace.mode == "real"
    assert summary.trace.notes[-1].startswith("traced by a real forward")
    assert summary.costs.macs == lstm_macs(14, 16, 32)


def test_lazy_modules_stay_lazy() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = nn.Sequential(nn.LazyConv2d(8, 3), nn.Flatten(), nn.LazyLinear(5))
        summary = archscope.trace(module, IMAGE)
    assert summary.costs.macs == 8 * 36 * 27 + 288 * 5
    assert summary.trace.totals.params == 8 * 27 + 8 + 288 * 5 + 5
    assert isinstance(module[0], nn.LazyConv2d)


def test_closures_locks_and_generators() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            layer = nn.Linear(4, 4)
            self.function = lambda x: layer(x) * 1
            self.lock = threading.Lock()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            with self.lock:
                return self.function(x)

    assert archscope.trace(Odd(), ROWS).costs.macs == 32


def test_what_cannot_be_counted_is_listed() -> None:
    summary = archscope.trace(Call(lambda layer, x: torch.linalg.inv(x) @ layer(x)), torch.eye(4))
    assert summary.costs.macs is None
    assert [kind.op for kind in summary.costs.uncounted] == ["aten.linalg_inv_ex"]
    assert summary.costs.counted_macs == 64 + 64


@pytest.mark.parametrize(
    ("name", "side", "layer", "shape", "smallest"),
    [("vgg16", "8", "features.23", "1x512x1x1", "32x32"), ("alexnet", "32", "pool2", "1x256x2x2", "227x227")],
)
def test_an_input_too_small_names_the_layer_and_the_smallest(
    name: str, side: str, layer: str, shape: str, smallest: str
) -> None:
    from archscope.api.calls import trace_target

    with pytest.raises(archscope.ForwardError) as caught:
        trace_target(name, TraceOptions(inputs=(parse_input(side),)))
    assert caught.value.exit_code == 3
    assert caught.value.message.startswith(f"{layer} (MaxPool2d) failed on {shape}: ")
    assert f"smallest square that works is {smallest}" in caught.value.remedy


def test_an_input_too_large_names_the_usual_one() -> None:
    from archscope.api.calls import trace_target

    with pytest.raises(archscope.ForwardError) as caught:
        trace_target("alexnet", TraceOptions(inputs=(parse_input("512"),)))
    assert "227x227 works" in caught.value.remedy
