"""Faults planted in sound models: each is found, named, and placed; the sound models pass."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from archscope.core.finding import Finding
from archscope.training.checks.runner import check_training

Batch = tuple[Tensor, Tensor]
MakeNet = Callable[..., nn.Sequential]


class Residual(nn.Module):
    """Residual blocks whose last scale starts at zero."""

    def __init__(self, classes: int = 3) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(16, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 16, 3), nn.BatchNorm2d(16)
            )
            for _ in range(2)
        )
        for block in self.blocks:
            nn.init.zeros_(block[4].weight)
        self.fc = nn.Linear(16, classes)
        nn.init.zeros_(self.fc.weight)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for block in self.blocks:
            x = functional.relu(x + functional.pad(block(x), (1, 1, 1, 1)))
        return self.fc(x.mean((2, 3)))


class Functional(nn.Module):
    """Two convolutions and whatever is planted between them and behind."""

    def __init__(
        self, between: Callable[[Tensor], Tensor] = lambda x: x, after: Callable[[Tensor], Tensor] = lambda x: x
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 16, 3, padding=1)
        self.fc = nn.Linear(64, 3)
        self.between, self.after = between, after

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.conv1(x))
        x = functional.relu(self.conv2(self.between(x)))
        x = functional.adaptive_avg_pool2d(x, 2).flatten(1)
        return self.after(self.fc(x))


def scale_weights(net: nn.Module, factor: float) -> nn.Module:
    with torch.no_grad():
        for part in net.modules():
            if isinstance(part, (nn.Conv2d, nn.Linear)):
                part.weight.mul_(factor)
    return net


def find(findings: tuple[Finding, ...], code: str) -> Finding:
    found = [finding for finding in findings if finding.code == code]
    assert found, [(finding.code, finding.message) for finding in findings]
    assert found[0].severity == "error"
    return found[0]


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize(
    "build",
    [
        lambda make: make(),
        lambda make: make(norm=False),
        lambda make: make((16,) * 8),
        lambda make: make(tail=nn.LogSoftmax(1)),
        lambda make: Residual(),
        lambda make: Functional(),
        lambda make: nn.Sequential(nn.BatchNorm2d(3), *make()),
    ],
    ids=["batch norm", "no norm", "deep", "log-softmax", "residual from zero", "functional", "norm first"],
)
def test_sound_models_pass(build: Callable[[MakeNet], nn.Module], make_net: MakeNet, batch: Batch) -> None:
    assert check_training(build(make_net), batch) == ()


class TestScores:
    @pytest.mark.parametrize(
        ("tail", "word"),
        [(nn.Softmax(1), "softmax"), (nn.ReLU(), "ReLU"), (nn.Sigmoid(), "sigmoid"), (nn.Tanh(), "tanh")],
    )
    def test_a_bound_at_the_end(self, tail: nn.Module, word: str, make_net: MakeNet, batch: Batch) -> None:
        net = make_net(tail=tail)
        finding = find(check_training(net, batch), "bounded-scores")
        assert word in finding.message
        assert finding.place == str(len(net) - 1)

    @pytest.mark.parametrize(
        ("after", "word"),
        [
            (lambda x: functional.softmax(x, 1), "softmax"),
            (functional.relu, "ReLU"),
            (lambda x: functional.softmax(x, 1).view(-1, 3), "softmax"),
            (lambda x: x.exp() / x.exp().sum(1, keepdim=True), "softmax"),
            (lambda x: x * (x > 0), "ReLU"),
        ],
    )
    def test_a_bound_written_in_forward(self, after: Callable[[Tensor], Tensor], word: str, batch: Batch) -> None:
        finding = find(check_training(Functional(after=after), batch), "bounded-scores")
        assert word in finding.message
        assert finding.place == "fc"

    def test_labels_that_no_score_answers_to(self, make_net: MakeNet, batch: Batch) -> None:
        finding = find(check_training(make_net(classes=2), batch), "label-range")
        assert finding.measured == "0 to 2"


class TestGradients:
    @pytest.mark.parametrize("cut", [lambda x: x.detach(), lambda x: torch.tensor(x.tolist())])
    def test_a_detached_middle(self, cut: Callable[[Tensor], Tensor], batch: Batch) -> None:
        finding = find(check_training(Functional(between=cut), batch), "no-gradient")
        assert finding.place == "conv1"
        assert "between conv1 and conv2" in finding.message
        assert "detach()" in finding.message

    def test_everything_is_detached(self, batch: Batch) -> None:
        finding = find(check_training(Functional(after=lambda x: x.detach()), batch), "no-gradient")
        assert "nothing can be learned" in finding.message

    def test_a_layer_that_is_never_called(self, batch: Batch) -> None:
        net = Functional()
        net.extra = nn.Linear(4, 4)
        finding = find(check_training(net, batch), "unused-parameters")
        assert finding.place == "extra"

    def test_a_stage_missing_from_the_optimizer(self, make_net: MakeNet, batch: Batch) -> None:
        net = make_net()
        optimizer = torch.optim.SGD([*net[0].parameters(), *net[6:].parameters()], lr=0.1)
        finding = find(check_training(net, batch, optimizer=optimizer), "not-trained")
        assert finding.place == "1"
        assert "the optimizer does not hold them" in finding.message
        assert "1 to 4" in finding.message

    def test_an_optimizer_made_before_the_last_layer(self, make_net: MakeNet, batch: Batch) -> None:
        net = make_net()
        optimizer = torch.optim.Adam(net.parameters())
        net[-1] = nn.Linear(96, 3)
        assert find(check_training(net, batch, optimizer=optimizer), "not-trained").place == str(len(net) - 1)

    def test_a_complete_optimizer_passes(self, make_net: MakeNet, batch: Batch) -> None:
        net = make_net()
        assert check_training(net, batch, optimizer=torch.optim.SGD(net.parameters(), lr=0.1)) == ()

    def test_frozen_layers_are_told_and_no_fault(self, make_net: MakeNet, batch: Batch) -> None:
        net = make_net()
        net[0].requires_grad_(requires_grad=False)
        (finding,) = check_training(net, batch)
        assert (finding.severity, finding.code, finding.place) == ("note", "frozen-parameters", "0")


class TestScale:
    @pytest.mark.parametrize("factor", [30.0, 100.0])
    @pytest.mark.parametrize("norm", [True, False])
    def test_weights_too_large(self, factor: float, norm: bool, make_net: MakeNet, batch: Batch) -> None:
        findings = check_training(scale_weights(make_net(norm=norm), factor), batch)
        assert "too large" in find(findings, "init-scale").message
        assert find(findings, "init-scale").place == "0"

    @pytest.mark.parametrize("factor", [0.01, 0.001])
    @pytest.mark.parametrize("norm", [True, False])
    def test_weights_too_small(self, factor: float, norm: bool, make_net: MakeNet, batch: Batch) -> None:
        findings = check_training(scale_weights(make_net(norm=norm), factor), batch)
        assert "too small" in find(findings, "init-scale").message

    def test_activations_that_vanish_slowly(self, make_net: MakeNet, batch: Batch) -> None:
        net = scale_weights(make_net((16,) * 6, norm=False), 0.1)
        finding = find(check_training(net, batch), "activation-scale")
        assert "vanish" in finding.message
        assert finding.place == "8"

    def test_activations_that_explode_slowly(self, make_net: MakeNet, batch: Batch) -> None:
        findings = check_training(scale_weights(make_net((16,) * 6, norm=False), 5), batch)
        assert "explode" in find(findings, "activation-scale").message
        assert find(findings, "loss-at-init").expected == "about ln(3) = 1.099"

    def test_a_branch_that_starts_at_zero_is_no_fault(self, batch: Batch) -> None:
        class Branch(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.gain = nn.Parameter(torch.zeros(1))
                self.inner, self.gate = nn.Conv2d(3, 3, 1), nn.ReLU()

            def forward(self, x: Tensor) -> Tensor:
                branch = self.inner(x) * self.gain
                return x + branch * (1 + self.gate(branch.mean((2, 3), keepdim=True)))

        end = (nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(64, 3))
        net = nn.Sequential(nn.Conv2d(3, 3, 3), Branch(), nn.Conv2d(3, 16, 3), *end)
        assert check_training(net, batch) == ()

    def test_one_layer_alone(self, make_net: MakeNet, batch: Batch) -> None:
        net = make_net()
        scale_weights(net[3], 50)
        assert find(check_training(net, batch), "init-scale").place == "3"

    def test_inputs_from_0_to_255(self, make_net: MakeNet, batch: Batch) -> None:
        images, labels = batch
        finding = find(check_training(make_net(), (images * 64 + 115, labels)), "input-scale")
        assert "0 to 255" in finding.message
        assert finding.place == "0"

    def test_bytes(self, make_net: MakeNet, batch: Batch) -> None:
        images, labels = batch
        raw = (images * 64 + 115).clamp(0, 255).to(torch.uint8)
        assert find(check_training(make_net(), (raw, labels)), "input-scale").place == "0"

    def test_inputs_divided_twice(self, make_net: MakeNet, batch: Batch) -> None:
        images, labels = batch
        finding = find(check_training(make_net(), (images / 255, labels)), "input-scale")
        assert "divided twice" in finding.message

    def test_a_model_that_normalises_by_itself_takes_bytes(self, make_net: MakeNet, batch: Batch) -> None:
        images, labels = batch
        assert check_training(nn.Sequential(nn.BatchNorm2d(3), *make_net()), (images * 64 + 115, labels)) == ()

    def test_dead_rectifiers(self, make_net: MakeNet, batch: Batch) -> None:
        net = make_net(norm=False)
        with torch.no_grad():
            net[2].bias.fill_(-100)
        findings = check_training(net, batch)
        finding = find(findings, "dead-relu")
        assert finding.place == "3"
        assert "bias and weights of 2" in finding.remedy
        assert find(findings, "no-gradient").place == "2"

    def test_a_dead_function(self, batch: Batch) -> None:
        assert find(check_training(Functional(between=lambda x: (x - 100).relu()), batch), "dead-relu").place == ""

    def test_a_loss_that_is_no_number(self, batch: Batch) -> None:
        finding = find(check_training(Functional(between=lambda x: (x * 0 - 1).log()), batch), "loss-at-init")
        assert finding.place == "conv2"
        assert finding.measured == "nan"


class TestBatch:
    @pytest.mark.parametrize(
        "mix",
        [
            lambda x: x - x.mean(0, keepdim=True),
            lambda x: functional.softmax(x, 0) + x,
            lambda x: x + x.roll(1, 0),
            lambda x: functional.batch_norm(x, None, None, training=True),
        ],
    )
    def test_items_that_mix(self, mix: Callable[[Tensor], Tensor], batch: Batch) -> None:
        finding = find(check_training(Functional(between=mix), batch), "batch-leak")
        assert finding.place == "conv2"
        assert "conv2" in finding.message

    def test_batch_norm_without_statistics(self, make_net: MakeNet, batch: Batch) -> None:
        net = make_net()
        net[1] = nn.BatchNorm2d(16, track_running_stats=False)
        finding = find(check_training(net, batch), "batch-leak")
        assert finding.place == "1"
        assert "running statistics" in finding.remedy

    def test_batch_norm_whose_statistics_stand_still(self, make_net: MakeNet, batch: Batch) -> None:
        net = make_net()
        net[4].momentum = 0.0  # type: ignore[assignment]
        finding = find(check_training(net, batch), "batch-norm")
        assert finding.place == "4"

    def test_eval_mode_that_does_something_else(self, make_net: MakeNet, batch: Batch) -> None:
        class Differs(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                return x if self.training else x.flip(1)

        net = make_net()
        finding = find(check_training(nn.Sequential(*net[:9], Differs(), *net[9:]), batch), "batch-norm")
        assert finding.place == "9"

    def test_a_generator_of_its_own(self, make_net: MakeNet, batch: Batch) -> None:
        class Noise(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.calls = 0

            def forward(self, x: Tensor) -> Tensor:
                self.calls += 1
                return x * (1 + self.calls % 7)

        net = make_net(norm=False)
        finding = find(check_training(nn.Sequential(net[0], Noise(), *net[1:]), batch), "not-repeatable")
        assert finding.place == "1"

    def test_dropout_is_repeatable(self, make_net: MakeNet, batch: Batch) -> None:
        net = make_net()
        assert check_training(nn.Sequential(*net[:10], nn.Dropout(0.5), *net[10:]), batch) == ()


class TestOverfitting:
    def test_a_model_that_sees_too_little(self, make_net: MakeNet, batch: Batch) -> None:
        class Blind(nn.Module):
            """Sees the brightest pixel only."""

            def forward(self, x: Tensor) -> Tensor:
                return x.amax((1, 2, 3), keepdim=True).round().expand(-1, 3, 8, 8).clone() * 0.1 + 1

        images, labels = batch
        findings = check_training(nn.Sequential(Blind(), *make_net(norm=False)), (images.clamp(max=1.2), labels))
        finding = find(findings, "cannot-overfit")
        assert "9 images" in finding.message
        assert finding.place

    def test_slow_is_no_fault(self, make_net: MakeNet, batch: Batch) -> None:
        (finding,) = check_training(make_net(), batch, seconds=0.0)
        assert (finding.severity, finding.code) == ("note", "slow-overfitting")

    def test_nothing_to_train(self, make_net: MakeNet, batch: Batch) -> None:
        net = make_net().requires_grad_(requires_grad=False)
        findings = check_training(net, batch)
        assert find(findings, "no-gradient").measured == "a loss without one"


class Unregistered(nn.Module):
    """Its middle layers stand in a plain list, a scale is a plain tensor."""

    def __init__(self, *, register: bool = False) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3, padding=1)
        layers = [nn.Conv2d(16, 16, 3, padding=1) for _ in range(2)]
        self.layers = nn.ModuleList(layers) if register else layers
        self.scale = nn.Parameter(torch.ones(16, 1, 1)) if register else torch.ones(16, 1, 1, requires_grad=True)
        self.fc = nn.Linear(64, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.conv(x)) * self.scale
        for layer in self.layers:
            x = functional.relu(layer(x))
        return self.fc(functional.adaptive_avg_pool2d(x, 2).flatten(1))


class TestRegistration:
    def test_what_is_not_registered_is_an_error_and_all_that_is_told(self, batch: Batch) -> None:
        layers, scale = check_training(Unregistered(), batch)
        assert (layers.severity, layers.code, layers.place) == ("error", "unregistered-module", "layers")
        assert "nn.ModuleList" in layers.remedy
        assert (scale.severity, scale.code, scale.place) == ("error", "unregistered-parameter", "scale")
        assert "nn.Parameter" in scale.remedy

    def test_registered_it_passes(self, batch: Batch) -> None:
        assert check_training(Unregistered(register=True), batch) == ()

    def test_frozen_layers_in_a_list_are_no_error(self, batch: Batch) -> None:
        net = Unregistered(register=True)
        teacher = [nn.Conv2d(3, 3, 1).requires_grad_(False)]
        net.conv.register_forward_pre_hook(lambda _, inputs: (inputs[0] + 0 * teacher[0](inputs[0]),))
        assert [finding.severity for finding in check_training(net, batch)] == ["note"]

    def test_a_shared_block_is_told(self, batch: Batch) -> None:
        block = nn.Sequential(nn.Conv2d(16, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU())
        net = nn.Sequential(nn.Conv2d(3, 16, 3), *[block] * 2, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(64, 3))
        (finding,) = check_training(net, batch)
        assert (finding.severity, finding.code, finding.place) == ("warning", "shared-module", "1")
