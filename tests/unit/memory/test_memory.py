"""Predicted memory of small networks, by hand arithmetic."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from archscope.analysis.memory import MemoryPrediction
from archscope.core.errors import ModelError, UnknownNameError
from archscope.memory.ledger import PRODUCT_WORKSPACE_BYTES
from archscope.memory.predict import FakeModel, predict_memory
from archscope.tracing.modes import Source


def predict(
    build: Callable[[], nn.Module], *shape: int, train: bool = True, optimizer: str = "sgd"
) -> MemoryPrediction:
    return predict_memory(
        build,
        lambda module, device: ((torch.empty(shape, device=device),), {}),
        train=train,
        optimizer=optimizer,
    )


class Scale(nn.Module):
    """One multiplication: (N, 1, 1000) times 1000 weights."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1000))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight


def test_a_perceptron_by_hand() -> None:
    found = predict(lambda: nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)), 5, 3, optimizer="adam")
    parameters = 4 * (3 * 4 + 4 + 4 * 2 + 2)
    assert found.parameter_bytes == found.gradient_bytes == parameters
    assert found.optimizer_bytes == 2 * parameters
    # The first product saves its input; ReLU saves its result, which the second product saves again: once.
    assert found.saved_activation_bytes == 4 * (5 * 3 + 5 * 4)
    assert [(layer.path, layer.saved_bytes) for layer in found.layers] == [("0", 60), ("1", 80)]
    assert found.workspace_bytes == PRODUCT_WORKSPACE_BYTES


def test_modules_that_forward_makes_and_drops_are_not_kept_alive() -> None:
    class Makes(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            for _ in range(3):
                x = Scale()(x)
            return x

    # The image, the product before, 1000 weights and the product: never the weights of two.
    assert predict(Makes, 2, 1, 1000, train=False).peak_bytes == 8000 + 8000 + 4000 + 8000


@pytest.mark.parametrize(("optimizer", "state"), [("sgd", 0), ("momentum", 1), ("adam", 2), ("adamw", 2)])
def test_the_peak_of_a_step_by_hand(optimizer: str, state: int) -> None:
    found = predict(Scale, 2, 1, 1000, optimizer=optimizer)
    weight = gradient = 4000
    image = output = product = 8000
    # In backward: the loss and its gradient, grad * x, and the sum of that over the batch.
    assert found.peak_bytes == weight * (1 + state) + image + output + 4 + 4 + product + gradient
    assert (found.phase, found.deciding_layer, found.deciding_type) == ("backward", "", "Scale")
    assert found.saved_activation_bytes == image
    assert found.workspace_bytes == 0


def test_the_optimizers_temporaries_decide_where_the_batch_is_small() -> None:
    found = predict(lambda: nn.Linear(1000, 1000, bias=False), 1, 1000, optimizer="adam")
    weight = 4 * 1000 * 1000
    assert found.phase == "optimizer"
    assert found.peak_bytes == weight * (1 + 1 + 2 + 1) + 4000 + 4000


def test_an_inference_keeps_nothing_for_backward() -> None:
    found = predict(lambda: nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2)), 5, 3, train=False)
    assert found.gradient_bytes == found.optimizer_bytes == found.saved_activation_bytes == 0
    assert found.peak_bytes == 4 * (3 * 4 + 4 + 4 * 2 + 2) + 4 * (5 * 3 + 5 * 4 + 5 * 2)
    assert (found.phase, found.deciding_layer) == ("forward", "1")


@pytest.mark.parametrize(
    ("build", "shape", "saved"),
    [
        # Max-pooling: its input, and indices of eight bytes.
        (lambda: nn.Sequential(nn.Conv2d(3, 3, 1), nn.MaxPool2d(2)), (2, 3, 8, 8), 2 * 3 * (64 * 4 + 64 * 4 + 16 * 8)),
        # BatchNorm: its input, mean and inverse deviation of the batch.
        (lambda: nn.Sequential(nn.Conv2d(3, 8, 1), nn.BatchNorm2d(8)), (2, 3, 4, 4), 4 * (2 * 11 * 16 + 8 + 8)),
        # In-place ReLU: the output is the product's storage, saved once.
        (lambda: nn.Sequential(nn.Linear(3, 4), nn.ReLU(inplace=True), nn.Linear(4, 2)), (5, 3), 4 * (15 + 20)),
        # Dropout on the CPU: a mask of floats; the last product saves what it reads.
        (lambda: nn.Sequential(nn.Linear(3, 4), nn.Dropout(), nn.Linear(4, 2)), (5, 3), 4 * (15 + 20 + 20)),
        # A view saves the storage that it shares.
        (lambda: nn.Sequential(nn.Flatten(), nn.Linear(12, 4), nn.Unflatten(1, (2, 2)), nn.Linear(2, 2)),
         (5, 3, 4), 4 * (60 + 20)),
        # Nothing before the first trainable parameter is saved.
        (lambda: nn.Sequential(nn.Linear(3, 4).requires_grad_(False), nn.ReLU(), nn.Linear(4, 2)), (5, 3), 4 * 20),
        (lambda: nn.Linear(3, 4).requires_grad_(False), (5, 3), 0),
    ],
    ids=["max-pool", "batch-norm", "in-place", "dropout", "view", "frozen", "all frozen"],
)  # fmt: skip
def test_what_autograd_saves(build: Any, shape: tuple[int, ...], saved: int) -> None:
    assert predict(build, *shape).saved_activation_bytes == saved


def test_saved_bytes_grow_with_the_batch_and_nothing_stays_from_the_batch_before() -> None:
    model = FakeModel(Source(build=lambda: nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))))

    def ask(batch: int) -> MemoryPrediction:
        return model.predict(lambda module, device: ((torch.empty(batch, 3, device=device),), {}), train=True)

    first, large, again = ask(5), ask(5000), ask(5)
    assert large.saved_activation_bytes == 1000 * first.saved_activation_bytes
    assert again == first


def test_several_outputs_and_tied_weights() -> None:
    class Heads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Linear(4, 4, bias=False)
            self.b = nn.Linear(4, 4, bias=False)
            self.b.weight = self.a.weight

        def forward(self, x: Tensor) -> dict[str, Tensor]:
            return {"near": self.a(x), "far": self.b(self.a(x)).sum()}

    found = predict(Heads, 2, 4)
    assert found.parameter_bytes == found.gradient_bytes == 4 * 16
    assert found.saved_activation_bytes == 4 * (8 + 8)


def test_an_instance_is_left_as_it_was() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)).eval()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    state = torch.get_rng_state()
    FakeModel(Source(instance=module)).predict(lambda m, d: ((torch.empty(2, 3, 4, 4, device=d),), {}), train=True)
    assert not module.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())
    assert all(parameter.grad is None for parameter in module.parameters())
    assert torch.equal(torch.get_rng_state(), state)


def test_a_model_of_a_terabyte_needs_no_memory() -> None:
    side = 500_000
    found = predict(lambda: nn.Linear(side, side, bias=False), 1, side)
    assert found.parameter_bytes == 4 * side * side == 10**12


def test_what_forward_raises_is_told() -> None:
    with pytest.raises(ModelError, match="forward raised RuntimeError"):
        predict(lambda: nn.Linear(3, 4), 5, 7)
    with pytest.raises(UnknownNameError, match="unknown optimizer"):
        predict(lambda: nn.Linear(3, 4), 5, 3, optimizer="adagrad")


def test_reading_values_is_told_apart() -> None:
    class Reader(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) * x.sum().item()

    with pytest.raises(ModelError) as caught:
        predict(lambda: Reader(3, 4), 5, 3)
    assert "predicted without values" in caught.value.remedy


def test_a_fused_lstm_says_that_its_reserve_is_unknown() -> None:
    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(4, 4, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            output: Tensor = self.lstm(x)[0]
            return output

    found = predict(Reader, 2, 3, 4)
    fused = torch.backends.mkldnn.is_available()
    assert found.uncounted == (("aten.mkldnn_rnn_layer",) if fused else ())


def test_layers_that_are_not_registered_run_as_the_registered_do() -> None:
    class Hides(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = [nn.Linear(3, 4), Scale()]
            self.by_name = {"last": nn.Linear(4, 2)}
            self.shift = torch.ones(2)
            self.gain = nn.Parameter(torch.ones(2))

        def forward(self, x: Tensor) -> Tensor:
            return self.by_name["last"](self.layers[0](x)) * self.gain + self.shift

    for dtype in ("fp32", "bf16"):
        found = predict_memory(
            Hides,
            lambda module, device: ((torch.empty(5, 3, device=device),), {}),
            train=True,
            dtype=dtype,
        )
        assert found.parameter_bytes == 4 * 2
        assert {layer.type for layer in found.layers} == {"Hides", "Linear"}
