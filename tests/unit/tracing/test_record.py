"""What one observed forward pass writes down: calls, operations, values, edges, parameters, places, failures."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import archscope
from archscope.core.trace import Edge


class Residual(nn.Module):
    """A convolution used twice, a functional ReLU, an addition, and a branch that is never taken."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(4)
        self.unused = nn.Linear(3, 5)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        y = F.relu(self.norm(self.conv(image)))
        return self.conv(y) + image


@pytest.fixture
def summary() -> archscope.Summary:
    return archscope.trace(Residual().eval(), torch.zeros(1, 4, 6, 6))


def test_calls_come_in_order_with_paths_numbers_and_depths(summary: archscope.Summary) -> None:
    layers = summary.trace.layers
    assert [(layer.id, layer.path, layer.type, layer.call, layer.depth, layer.parent) for layer in layers] == [
        (0, "", "Residual", 0, 0, None),
        (1, "conv", "Conv2d", 0, 1, 0),
        (2, "norm", "BatchNorm2d", 0, 1, 0),
        (3, "conv", "Conv2d", 1, 1, 0),
    ]
    assert [layer.leaf for layer in layers] == [False, True, True, True]


def test_functional_operations_belong_to_the_innermost_call(summary: archscope.Summary) -> None:
    by_layer = [[op.name for op in summary.trace.ops if op.layer == layer.id] for layer in summary.trace.layers]
    assert by_layer[0] == ["aten.relu", "aten.add"]
    assert by_layer[1] == by_layer[3] == ["aten.convolution"]
    assert [(layer.first_op, layer.end_op) for layer in summary.trace.layers] == [(0, 6), (0, 1), (1, 3), (4, 5)]


def test_parameters_are_counted_once_and_the_unused_are_named(summary: archscope.Summary) -> None:
    trace = summary.trace
    assert trace.totals.params == 4 * 4 * 9 + 2 * 4 + (3 * 5 + 5)
    assert trace.totals.buffers == 4 + 4 + 1
    assert trace.totals.param_bytes == 4 * trace.totals.params
    assert [layer.own_params for layer in trace.layers] == [0, 4 * 4 * 9, 8, 4 * 4 * 9]
    assert trace.never_called == ("unused",)


def test_macs_of_both_calls_count(summary: archscope.Summary) -> None:
    assert summary.costs.macs == 2 * (6 * 6 * 4 * 4 * 9)
    assert [cost.macs for cost in summary.costs.layers] == [2 * 5184, 5184, 0, 5184]
    assert summary.costs.activations == 2 * (6 * 6 * 4)


def test_edges_follow_the_data(summary: archscope.Summary) -> None:
    trace = summary.trace
    add = next(op for op in trace.ops if op.name == "aten.add")
    second = [op for op in trace.ops if op.name == "aten.convolution"][1]
    assert [(ref.spec.key, ref.value) for ref in add.inputs] == [
        ("self", second.outputs[0].value),
        ("other", trace.inputs[0].value),
    ]
    assert Edge(second.index, add.index, second.outputs[0].value) in trace.edges
    assert Edge(None, add.index, trace.inputs[0].value) in trace.edges
    weight = next(tensor for tensor in trace.state if tensor.path == "conv.weight")
    assert [op.index for op in trace.ops if weight.value in [ref.value for ref in op.inputs]] == [0, second.index]


def test_in_place_operations_make_a_new_value() -> None:
    class InPlace(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = x * 2
            y.add_(1)
            return y + x

    trace = archscope.trace(InPlace(), torch.zeros(3)).trace
    mul, add_, add = trace.ops
    assert add_.inputs[0].value == mul.outputs[0].value
    assert add.inputs[0].value == add_.outputs[0].value != mul.outputs[0].value


def test_inputs_and_outputs_are_named(summary: archscope.Summary) -> None:
    trace = summary.trace
    assert [(ref.spec.key, ref.shape, ref.spec.dtype) for ref in trace.inputs] == [("image", (1, 4, 6, 6), "float32")]
    assert [(ref.spec.key, ref.shape) for ref in trace.outputs] == [("", (1, 4, 6, 6))]
    assert [ref.spec.key for ref in trace.layers[1].inputs] == ["0"]


def test_nested_structures_have_dotted_keys() -> None:
    class Nested(nn.Module):
        def forward(self, batch: dict[str, Any], *more: torch.Tensor, scale: torch.Tensor) -> dict[str, Any]:
            return {"a": batch["x"] * scale, "b": [more[0], None, (more[1],)], "c": "no tensor"}

    one = torch.zeros(1)
    trace = archscope.trace(Nested(), {"x": one, "y": [one]}, one + 1, one + 2, scale=one + 3).trace
    assert [ref.spec.key for ref in trace.inputs] == ["batch.x", "batch.y.0", "more.0", "more.1", "scale"]
    assert [ref.spec.key for ref in trace.outputs] == ["a", "b.0", "b.2.0"]


def test_sources_point_at_the_line_and_column_of_the_expression(summary: archscope.Summary) -> None:
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    relu = next(op for op in summary.trace.ops if op.name == "aten.relu")
    span = relu.sources[0]
    assert span.file == __file__
    assert span.function.endswith("Residual.forward")
    assert (
        lines[span.line - 1][(span.column or 0) - 1 : (span.end_column or 0) - 1]
        == "F.relu(self.norm(self.conv(image)))"
    )
    second = summary.trace.layers[3]
    assert second.source is not None
    assert lines[second.source.line - 1].strip() == "return self.conv(y) + image"
    assert summary.trace.root.source is None


def test_shared_parameters_are_named_with_their_other_holders() -> None:
    first, second = nn.Linear(4, 4), nn.Linear(4, 4)
    second.weight = first.weight
    trace = archscope.trace(nn.Sequential(first, second), torch.zeros(2, 4)).trace
    assert trace.totals.params == 16 + 4 + 4
    assert [layer.shared_with for layer in trace.layers] == [(), ("1",), ("0",)]


def test_attentions_output_projection_is_used_though_never_called() -> None:
    attention = nn.MultiheadAttention(8, 2, batch_first=True)
    x = torch.zeros(1, 3, 8)
    trace = archscope.trace(attention, x, x, x).trace
    assert [layer.path for layer in trace.layers] == [""]
    assert trace.never_called == ()


class Broken(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 256, 3, padding=1), nn.AdaptiveAvgPool2d(7), nn.Flatten())
        self.classifier = nn.Sequential(nn.Linear(25088, 4096), nn.ReLU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.body(x))


def test_a_failure_keeps_what_came_before_and_names_the_place() -> None:
    with pytest.raises(archscope.ForwardError) as caught:
        archscope.trace(Broken(), torch.zeros(1, 3, 32, 32))
    trace = caught.value.summary.trace
    assert trace.failure is not None
    assert trace.failure.path == "classifier.0"
    assert trace.failure.message == "mat1 and mat2 shapes cannot be multiplied (1x12544 and 25088x4096)"
    assert trace.failure.error == "RuntimeError"
    assert [layer.path for layer in trace.layers] == [
        "",
        "body",
        "body.0",
        "body.1",
        "body.2",
        "classifier",
        "classifier.0",
    ]
    assert trace.layers[-1].inputs[0].shape == (1, 256 * 7 * 7)
    assert trace.layers[-1].outputs == trace.outputs == ()
    assert isinstance(caught.value.__cause__, RuntimeError)
    assert trace.failure.sources[0].function.endswith("Broken.forward")


def test_an_error_that_the_model_handles_is_no_failure() -> None:
    class Handles(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.wide, self.right = nn.Linear(5, 2), nn.Linear(4, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            try:
                return self.wide(x)
            except RuntimeError:
                return self.right(x)

    summary = archscope.trace(Handles(), torch.zeros(1, 4))
    assert summary.trace.failure is None
    assert summary.costs.macs == 8


def test_an_error_raised_anew_keeps_its_first_place() -> None:
    class Wraps(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(5, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            try:
                return self.inner(x)
            except RuntimeError as error:
                raise ValueError("the inner layer failed") from error

    with pytest.raises(archscope.ForwardError) as caught:
        archscope.trace(Wraps(), torch.zeros(1, 4))
    failure = caught.value.summary.trace.failure
    assert failure is not None
    assert (failure.path, failure.error, failure.message) == ("inner", "ValueError", "the inner layer failed")


@pytest.mark.parametrize(
    ("module", "dtype"),
    [(nn.Linear(4, 2), torch.float64), (nn.Conv2d(3, 2, 1), torch.float64), (nn.Linear(4, 2).half(), torch.float32)],
    ids=["linear", "convolution", "half"],
)
def test_dtypes_that_do_not_fit_fail_as_they_would_for_real(module: nn.Module, dtype: torch.dtype) -> None:
    shape = (1, 3, 4, 4) if isinstance(module, nn.Conv2d) else (1, 4)
    with pytest.raises(RuntimeError):
        module(torch.zeros(shape, dtype=dtype))
    with pytest.raises(archscope.ForwardError):
        archscope.trace(module, torch.zeros(shape, dtype=dtype))
