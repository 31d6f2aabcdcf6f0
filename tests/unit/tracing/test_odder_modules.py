"""More odd modules with hand-made counts: functional products, wrappers, hooks, sharing, graphs, structures."""

import threading
import warnings
from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrizations, prune
from torch.utils.checkpoint import checkpoint, checkpoint_sequential

import archscope


class Call(nn.Module):
    """A module around a function of one linear layer of four features and its inputs."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)
        self.function = function

    def forward(self, *inputs: Any, **named: Any) -> Any:
        return self.function(self.layer, *inputs, **named)


Pair = namedtuple("Pair", ["hidden", "logits"])


@dataclass
class Output:
    logits: torch.Tensor
    extra: Any = None


class Containers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.ParameterList([nn.Parameter(torch.ones(4, 4)) for _ in range(2)])
        self.named = nn.ParameterDict({"last": nn.Parameter(torch.ones(4, 4))})
        self.parts = nn.ModuleDict({"used": nn.Linear(4, 4), "unused": nn.Linear(4, 4)})

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for weight in self.weights:
            x = x @ weight
        return self.parts["used"](x @ self.named["last"])


class LanguageModel(nn.Module):
    """The output projection is the embedding's own weight."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(10, 4)
        self.head = nn.Linear(4, 10, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.head(self.embedding(tokens))


class LowRank(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.base = nn.Linear(4, 4)
        self.down, self.up = nn.Linear(4, 2, bias=False), nn.Linear(2, 4, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.base(x) + self.up(self.down(x))


class Plain(nn.Module):
    """Tensors that are neither parameters nor buffers, in attributes and lists."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.ones(4, 4)
        self.more = [torch.ones(4, 4)]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ self.weight @ self.more[0]


class Inference(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)

    @torch.inference_mode()
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x)


class Forces(nn.Module):
    """The gradient of an energy, as force fields compute it: a forward and a backward product."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            (force,) = torch.autograd.grad(self.layer(x).sum(), x)
        return force


def pruned() -> nn.Module:
    module = nn.Linear(4, 4)
    prune.random_unstructured(module, "weight", 0.5)
    return module


def hooked() -> nn.Module:
    module = nn.Sequential(nn.Linear(4, 4), nn.Linear(8, 2))
    module[0].register_forward_hook(lambda _module, _args, output: torch.cat([output, output], dim=1))
    module[0].register_forward_pre_hook(lambda _module, args: (args[0][:1],))
    return module


def shared() -> nn.Module:
    layer = nn.Linear(4, 4)
    return nn.Sequential(layer, nn.ReLU(), layer, nn.Sequential(layer))


def traced() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.trace(nn.Sequential(nn.Linear(4, 4), nn.ReLU()), torch.ones(2, 4))


def decorated(layer: nn.Module, x: torch.Tensor) -> torch.Tensor:
    @torch.compile
    def inner(value: torch.Tensor) -> torch.Tensor:
        return layer(value) + 1

    return inner(x)


def functional(layer: nn.Module, x: torch.Tensor) -> torch.Tensor:
    return torch.func.functional_call(layer, {"weight": torch.ones(4, 4), "bias": torch.ones(4)}, (x,))


def return_nothing(layer: nn.Module, x: torch.Tensor) -> None:
    layer(x)


def unfolded(_: nn.Module, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return weight.flatten(1) @ F.unfold(x, 3)


ROWS, VECTOR, SQUARE = torch.ones(2, 4), torch.ones(4), torch.ones(4, 4)
IMAGE, TOKENS, STEPS = torch.ones(1, 4, 8, 8), torch.ones(2, 10, 64), torch.ones(7, 3, 16)
HEADS = torch.ones(2, 8, 10, 16)
PROJECTION, SCORES = 20 * 64 * 64, 2 * (2 * 10 * 10 * 64)
GATES = 4 * 32

Make = Callable[[], nn.Module]
CASES: dict[str, tuple[Make, tuple[Any, ...], int]] = {
    # Convolutions
    "depthwise": (lambda: nn.Conv2d(4, 4, 3, groups=4), (IMAGE,), 4 * 36 * 9),
    "depthwise, multiplied": (lambda: nn.Conv2d(4, 8, 3, groups=4), (IMAGE,), 8 * 36 * 9),
    "reflected": (lambda: nn.Conv2d(4, 2, 3, padding=1, padding_mode="reflect"), (IMAGE,), 2 * 64 * 36),
    "one by one": (lambda: nn.Conv2d(4, 2, 1), (IMAGE,), 2 * 64 * 4),
    "strided, dilated": (lambda: nn.Conv2d(4, 2, 3, 2, 2, 2), (IMAGE,), 2 * 16 * 36),
    "asymmetric": (lambda: nn.Conv2d(4, 2, (1, 7), padding=(0, 3)), (IMAGE,), 2 * 64 * 28),
    "unbatched": (lambda: nn.Conv2d(4, 2, 3), (IMAGE[0],), 2 * 36 * 36),
    "transposed line": (lambda: nn.ConvTranspose1d(4, 2, 3, 2), (torch.ones(1, 4, 5),), 4 * 5 * 2 * 3),
    "transposed volume": (
        lambda: nn.ConvTranspose3d(4, 6, 3, 2, dilation=2, groups=2),
        (torch.ones(1, 4, 3, 3, 3),),
        4 * 27 * 3 * 27,
    ),
    "functional convolution": (
        lambda: Call(lambda _, x, w: F.conv2d(x, w, padding=1)),
        (IMAGE, torch.ones(2, 4, 3, 3)),
        2 * 64 * 36,
    ),
    "unfolded convolution": (lambda: Call(unfolded), (IMAGE, torch.ones(2, 4, 3, 3)), 2 * 36 * 36),
    "normalised convolution": (lambda: parametrizations.weight_norm(nn.Conv2d(4, 2, 3)), (IMAGE,), 2 * 36 * 36),
    # Products
    "vector input": (lambda: nn.Linear(4, 3), (VECTOR,), 12),
    "many dimensions": (lambda: nn.Linear(4, 3), (torch.ones(2, 5, 7, 4),), 70 * 12),
    "no rows": (lambda: nn.Linear(4, 3), (torch.ones(0, 4),), 0),
    "broadcast": (lambda: Call(lambda _, a, b: a @ b), (torch.ones(3, 1, 2, 4), torch.ones(5, 4, 6)), 15 * 2 * 4 * 6),
    "matrix, vector": (lambda: Call(lambda _, a, b: a @ b), (SQUARE, VECTOR), 16),
    "dot": (lambda: Call(lambda _, a: a @ a), (VECTOR,), 4),
    "addmv": (lambda: Call(lambda _, a, b: torch.addmv(b, a, b)), (SQUARE, VECTOR), 16),
    "addr": (lambda: Call(lambda _, a, b: torch.addr(a, b, b)), (SQUARE, VECTOR), 16),
    "addbmm": (
        lambda: Call(lambda _, a, b: torch.addbmm(torch.ones(1), a, b)),
        (torch.ones(3, 2, 4), torch.ones(3, 4, 5)),
        3 * 2 * 4 * 5,
    ),
    "tensordot": (lambda: Call(lambda _, a: torch.tensordot(a, a, dims=2)), (SQUARE,), 16),
    "inner": (lambda: Call(lambda _, a, b: torch.inner(a, b)), (ROWS, SQUARE), 2 * 4 * 4),
    "matrix power": (lambda: Call(lambda _, a: torch.linalg.matrix_power(a, 3)), (SQUARE,), 2 * 64),
    "contraction": (
        lambda: Call(lambda _, q: torch.einsum("bhld,bhsd->bhls", q, q)),
        (HEADS,),
        2 * 8 * 10 * 10 * 16,
    ),
    "element-wise": (lambda: Call(lambda _, a: (a * a + a / 2).exp().cumsum(0)), (ROWS,), 0),
    # Attention and recurrence
    "cross attention": (
        lambda: nn.MultiheadAttention(64, 4, batch_first=True, kdim=32, vdim=16),
        (TOKENS, torch.ones(2, 7, 32), torch.ones(2, 7, 16)),
        2 * PROJECTION + 14 * 64 * (32 + 16) + 2 * (2 * 10 * 7 * 64),
    ),
    "sequence first": (lambda: nn.MultiheadAttention(64, 4), (TOKENS.transpose(0, 1),) * 3, 4 * PROJECTION + SCORES),
    "masked sdpa": (
        lambda: Call(lambda _, q: F.scaled_dot_product_attention(q, q, q, torch.ones(10, 10, dtype=torch.bool))),
        (HEADS,),
        2 * 8 * 10 * 10 * 32,
    ),
    "decoder layer": (
        lambda: nn.TransformerDecoderLayer(64, 4, 128, batch_first=True),
        (TOKENS, TOKENS),
        2 * (4 * PROJECTION + SCORES) + 2 * 20 * 64 * 128,
    ),
    "norm first": (
        lambda: nn.TransformerEncoderLayer(64, 4, 128, batch_first=True, norm_first=True, activation="gelu"),
        (TOKENS,),
        4 * PROJECTION + SCORES + 2 * 20 * 64 * 128,
    ),
    "two layers both ways": (
        lambda: nn.LSTM(16, 32, 2, bidirectional=True),
        (STEPS,),
        2 * 21 * GATES * (16 + 32) + 2 * 21 * GATES * (64 + 32),
    ),
    "gru both ways": (lambda: nn.GRU(16, 32, bidirectional=True), (STEPS,), 2 * 21 * 96 * 48),
    "lstm cell": (lambda: nn.LSTMCell(16, 32), (torch.ones(3, 16),), 3 * GATES * 48),
    "rnn with relu": (lambda: nn.RNN(16, 32, nonlinearity="relu", batch_first=True), (STEPS,), 21 * 32 * 48),
    # Holding and sharing
    "containers": (Containers, (ROWS,), 4 * 32),
    "language model": (LanguageModel, (torch.tensor([[1, 2, 3]]),), 3 * 40),
    "low rank": (LowRank, (ROWS,), 2 * (16 + 8 + 8)),
    "plain tensors": (Plain, (ROWS,), 64),
    "shared": (shared, (ROWS,), 3 * 32),
    "pruned": (pruned, (ROWS,), 32),
    "hooks that change shapes": (hooked, (ROWS,), 16 + 8 * 2),
    # Running
    "jit trace": (traced, (ROWS,), 32),
    "symbolic trace": (lambda: torch.fx.symbolic_trace(nn.Sequential(nn.Linear(4, 4), nn.ReLU())), (ROWS,), 32),
    "compiled function": (lambda: Call(decorated), (ROWS,), 32),
    "inference mode": (Inference, (ROWS,), 32),
    "functional call": (lambda: Call(functional), (ROWS,), 32),
    "forces": (Forces, (ROWS,), 8 + 8),
    "reentrant checkpoint": (lambda: Call(lambda layer, x: checkpoint(layer, x, use_reentrant=True)), (ROWS,), 32),
    "checkpointed chain": (
        lambda: Call(lambda layer, x: checkpoint_sequential([layer, layer, layer], 2, x, use_reentrant=False)),
        (ROWS,),
        96,
    ),
    "calls forward itself": (lambda: Call(lambda layer, x: layer.forward(x)), (ROWS,), 32),
    # Structures
    "named tuple": (lambda: Call(lambda layer, x: Pair(x, layer(x))), (ROWS,), 32),
    "dataclass": (lambda: Call(lambda layer, x: Output(layer(x), {"x": (x, 1)})), (ROWS,), 32),
    "nothing": (lambda: Call(return_nothing), (ROWS,), 32),
    "list": (lambda: Call(lambda layer, x: [layer(row) for row in x]), (ROWS,), 32),
    "generator": (lambda: Call(lambda layer, x: sum(layer(row) for row in x)), (ROWS,), 32),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
@pytest.mark.parametrize("name", list(CASES))
def test_odder_modules_count_exactly_and_stay_as_they_were(
    name: str, training: bool, fingerprint: Callable[..., Any]
) -> None:
    make, inputs, macs = CASES[name]
    module = make().train(training)
    scripted = isinstance(module, torch.jit.ScriptModule)
    before = None if scripted else fingerprint(module, *inputs)
    summary = archscope.trace(module, *inputs)
    assert summary.costs.macs == macs, (summary.costs.uncounted, [(op.name, op.inputs) for op in summary.trace.ops])
    assert before is None or fingerprint(module, *inputs) == before


def test_what_was_never_called_is_named() -> None:
    summary = archscope.trace(Containers(), ROWS)
    assert summary.trace.never_called == ("parts.unused",)
    assert summary.trace.totals.params == 3 * 16 + 2 * 20


def test_a_spectral_norm_costs_its_vector_products() -> None:
    module = parametrizations.spectral_norm(nn.Linear(4, 4)).eval()
    # The layer on two rows, then u . (W v): a matrix times a vector and a dot product.
    assert archscope.trace(module, ROWS).costs.macs == 2 * 16 + 16 + 4


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("mode", ["meta", "fake", "real"])
@pytest.mark.parametrize("locked", [False, True], ids=["copied", "copied part by part"])
def test_scripted_parts_keep_what_is_trainable(mode: Any, locked: bool) -> None:
    class Mixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.plain = nn.Linear(4, 4)
            self.scripted = torch.jit.script(nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 6)))
            self.scripted[0].weight.requires_grad_(False)
            self.traced = torch.jit.trace(nn.Linear(6, 2), torch.zeros(1, 6))

        def forward(self, x: torch.Tensor) -> Any:
            return self.traced(self.scripted(self.plain(x)))

    module = Mixed()
    if locked:
        module.__dict__["lock"] = threading.Lock()
    trace = archscope.trace(module, torch.zeros(3, 4), mode=mode).trace
    assert (trace.totals.params, trace.totals.trainable_params) == (20 + 61 + 14, 20 + 61 - 20 + 14)
    assert [layer.trainable_params for layer in trace.layers] == [75, 20, 41, 14]
    assert {state.path for state in trace.state if not state.trainable} == {"scripted.0.weight"}
    assert [parameter.requires_grad for parameter in module.scripted.parameters()] == [False, True, True, True]


@pytest.mark.filterwarnings("ignore")
def test_a_frozen_script_is_traced() -> None:
    frozen = torch.jit.freeze(torch.jit.script(nn.Sequential(nn.Linear(4, 5), nn.Linear(5, 6))).eval())
    summary = archscope.trace(frozen, torch.zeros(3, 4))
    assert summary.costs.macs == 3 * (20 + 30)
    assert not summary.trace.training


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("mode", ["meta", "fake", "real"])
def test_a_module_that_copies_itself_keeps_its_mode(mode: Any, training: bool) -> None:
    class TwoFaced(nn.Module):
        """As torchvision's feature extractors: a copy begins in training mode, and `train` chooses what runs."""

        def __init__(self) -> None:
            super().__init__()
            self.small, self.large = nn.Linear(4, 2), nn.Linear(4, 3)
            self.chosen = "large"

        def train(self, mode: bool = True) -> Any:  # noqa: FBT002
            self.chosen = "large" if mode else "small"
            return super().train(mode)

        def forward(self, x: torch.Tensor) -> Any:
            return getattr(self, self.chosen)(x)

        def __deepcopy__(self, memo: Any) -> Any:
            return TwoFaced()

    summary = archscope.trace(nn.Sequential(TwoFaced()).train(training), torch.zeros(5, 4), mode=mode)
    assert summary.macs == 5 * 4 * (3 if training else 2)
    assert [layer.training for layer in (summary.trace,)] == [training]


def test_a_feature_extractor_of_torchvision_in_eval_mode() -> None:
    models = pytest.importorskip("torchvision.models")
    extraction = pytest.importorskip("torchvision.models.feature_extraction")
    module = extraction.create_feature_extractor(models.resnet18(), ["layer4"]).eval()
    summary = archscope.trace(module, torch.zeros(1, 3, 64, 64))
    assert not summary.trace.training
    assert not summary.findings
    assert {dict(op.arguments)["training"] for op in summary.trace.ops if op.name.endswith("batch_norm")} == {False}
