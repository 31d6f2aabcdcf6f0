"""Explanations of random layers against torch itself: shapes, parameters, bytes, MACs, and every printed expression."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from torch import nn

import archscope
from archscope.analysis.explain import Explainer, Explanation, Line
from archscope.rendering import render
from archscope.tables.explanation import build_explanation_table

NAMES = {1: ("length",), 2: ("height", "width"), 3: ("depth", "height", "width")}
CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
MAX_POOLS = {1: nn.MaxPool1d, 2: nn.MaxPool2d, 3: nn.MaxPool3d}
AVERAGE_POOLS = {1: nn.AvgPool1d, 2: nn.AvgPool2d, 3: nn.AvgPool3d}
ADAPTIVE = {
    1: (nn.AdaptiveAvgPool1d, nn.AdaptiveMaxPool1d),
    2: (nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d),
    3: (nn.AdaptiveAvgPool3d, nn.AdaptiveMaxPool3d),
}
RANDOM = settings(max_examples=90, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])

Evaluate = Callable[[str], Fraction]


class Alone(nn.Module):
    """One layer, in a module that calls it."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor) -> Any:
        return self.layer(x)


def explain(layer: nn.Module, shape: tuple[int, ...]) -> tuple[Explanation, tuple[int, ...], Any]:
    with torch.device("meta"):
        x = torch.empty(shape)
    summary = archscope.trace(Alone(layer), x)
    output = summary.trace.outputs[0].shape
    return Explainer(summary.trace, summary.costs).explain_words("layer"), output, summary


def find(explanation: Explanation, quantity: str) -> Line | None:
    """The line of a quantity, alone or together with others: `height, width`."""
    return next((line for line in explanation.lines if quantity in line.quantity.split(", ")), None)


def check(layer: nn.Module, shape: tuple[int, ...], evaluate: Evaluate, equations: Any) -> Explanation:
    """What every explanation must hold."""
    explanation, output, summary = explain(layer, shape)
    for line in explanation.lines:
        if line.expression:
            assert evaluate(line.expression) == line.value, line
    for expression, number in equations(render(build_explanation_table(explanation))):
        assert evaluate(expression) == number, expression
    params = sum(parameter.numel() for parameter in layer.parameters())
    held = find(explanation, "parameters")
    assert (0 if held is None else held.value) == params
    macs = find(explanation, "MACs")
    assert (0 if macs is None else macs.value) == summary.costs.macs
    memory = find(explanation, "output memory")
    assert memory is not None
    assert memory.value == 4 * torch.Size(output).numel()
    return explanation


def check_sizes(explanation: Explanation, output: tuple[int, ...], rank: int) -> None:
    for name, size in zip(NAMES[rank], output[-rank:], strict=True):
        line = find(explanation, name)
        assert line is not None
        assert line.value == size


@st.composite
def draw_sizes(draw: st.DrawFn, low: int, high: int) -> tuple[int, tuple[int, ...]]:
    rank = draw(st.integers(1, 3))
    return rank, tuple(draw(st.integers(low, high)) for _ in range(rank))


def draw_each(draw: st.DrawFn, rank: int, low: int, high: int) -> tuple[int, ...]:
    return tuple(draw(st.integers(low, high)) for _ in range(rank))


@st.composite
def convolutions(draw: st.DrawFn) -> tuple[nn.Module, tuple[int, ...], int]:
    rank, sizes = draw(draw_sizes(1, 40))
    groups = draw(st.integers(1, 3))
    into, out = groups * draw(st.integers(1, 5)), groups * draw(st.integers(1, 5))
    kernel, dilation = draw_each(draw, rank, 1, 7), draw_each(draw, rank, 1, 3)
    stride, padding = draw_each(draw, rank, 1, 4), draw_each(draw, rank, 0, 4)
    assume(all(n + 2 * p >= d * (k - 1) + 1 for n, p, d, k in zip(sizes, padding, dilation, kernel, strict=True)))
    layer = CONVOLUTIONS[rank](
        into, out, kernel, stride, padding, dilation, groups, bias=draw(st.booleans()), device="meta"
    )
    return layer, (draw(st.integers(1, 3)), into, *sizes), rank


@st.composite
def transposed(draw: st.DrawFn) -> tuple[nn.Module, tuple[int, ...], int]:
    rank, sizes = draw(draw_sizes(1, 12))
    groups = draw(st.integers(1, 2))
    into, out = groups * draw(st.integers(1, 4)), groups * draw(st.integers(1, 4))
    kernel, dilation = draw_each(draw, rank, 1, 5), draw_each(draw, rank, 1, 3)
    stride, padding = draw_each(draw, rank, 1, 4), draw_each(draw, rank, 0, 2)
    more = tuple(draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation, strict=True))
    assume(
        all(
            (n - 1) * s - 2 * p + d * (k - 1) + m + 1 > 0
            for n, s, p, d, k, m in zip(sizes, stride, padding, dilation, kernel, more, strict=True)
        )
    )
    layer = TRANSPOSED[rank](
        into, out, kernel, stride, padding, more, groups, draw(st.booleans()), dilation, device="meta"
    )
    return layer, (draw(st.integers(1, 2)), into, *sizes), rank


@st.composite
def pools(draw: st.DrawFn) -> tuple[nn.Module, tuple[int, ...], int]:
    rank, sizes = draw(draw_sizes(1, 40))
    average = draw(st.booleans())
    kernel = draw_each(draw, rank, 1, 5)
    stride = draw_each(draw, rank, 1, 4)
    padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    dilation = (1,) * rank if average else draw_each(draw, rank, 1, 3)
    assume(all(n + 2 * p >= d * (k - 1) + 1 for n, p, d, k in zip(sizes, padding, dilation, kernel, strict=True)))
    # torch wants AvgPool3d's kernel to fit into the image without its padding.
    assume(not average or rank < 3 or all(n >= k for n, k in zip(sizes, kernel, strict=True)))
    ceil_mode = draw(st.booleans())
    layer: nn.Module
    if average:
        layer = AVERAGE_POOLS[rank](kernel, stride, padding, ceil_mode)
    else:
        layer = MAX_POOLS[rank](kernel, stride, padding, dilation, ceil_mode=ceil_mode)
    return layer, (draw(st.integers(1, 2)), draw(st.integers(1, 4)), *sizes), rank


class TestRandomLayers:
    """90 examples each of convolutions, transposed ones and pools, 60 adaptive pools, 40 linear layers: 370."""

    @RANDOM
    @given(case=convolutions())
    def test_convolutions(self, case: Any, evaluate: Evaluate, equations: Any) -> None:
        layer, shape, rank = case
        explanation = check(layer, shape, evaluate, equations)
        check_sizes(explanation, explanation.outputs[0], rank)
        assert all(line.expression for line in explanation.lines if line.quantity in ("parameters", "MACs"))

    @RANDOM
    @given(case=transposed())
    def test_transposed_convolutions(self, case: Any, evaluate: Evaluate, equations: Any) -> None:
        layer, shape, rank = case
        explanation = check(layer, shape, evaluate, equations)
        check_sizes(explanation, explanation.outputs[0], rank)

    @RANDOM
    @given(case=pools())
    def test_pools(self, case: Any, evaluate: Evaluate, equations: Any) -> None:
        layer, shape, rank = case
        explanation = check(layer, shape, evaluate, equations)
        check_sizes(explanation, explanation.outputs[0], rank)

    @settings(RANDOM, max_examples=60)
    @given(data=st.data())
    def test_adaptive_pools(self, data: st.DataObject, evaluate: Evaluate, equations: Any) -> None:
        rank, sizes = data.draw(draw_sizes(1, 30))
        wanted = tuple(data.draw(st.integers(1, 20)) for _ in range(rank))
        layer = ADAPTIVE[rank][data.draw(st.integers(0, 1))](wanted if rank > 1 else wanted[0])
        explanation = check(layer, (1, 2, *sizes), evaluate, equations)
        # Windows of torch's pools begin at floor(i n / m) and end at ceil((i + 1) n / m).
        for name, size, outputs in zip(NAMES[rank], sizes, wanted, strict=True):
            line = find(explanation, name)
            if line is None:  # a mean over whole maps
                assert set(wanted) == {1}
                continue
            assert line.value == outputs
            widths = {-(-(i + 1) * size // outputs) - i * size // outputs for i in range(outputs)}
            starts = [i * size // outputs for i in range(outputs)]
            kernel = [
                line for line in explanation.lines if line.quantity.startswith("kernel") and name in line.quantity
            ]
            steps = {second - first for first, second in pairwise(starts)}
            regular = len(widths) == 1 and len(steps) < 2 and outputs <= size
            assert bool(kernel) == regular
            if kernel:
                assert {kernel[0].value} == widths

    @settings(RANDOM, max_examples=40)
    @given(
        into=st.integers(1, 300),
        out=st.integers(1, 300),
        lead=st.lists(st.integers(1, 5), min_size=1, max_size=3),
        bias=st.booleans(),
    )
    def test_linear_layers(
        self, into: int, out: int, lead: list[int], bias: bool, evaluate: Evaluate, equations: Any
    ) -> None:
        layer = nn.Linear(into, out, bias=bias, device="meta")
        explanation = check(layer, (*lead, into), evaluate, equations)
        assert explanation.title == f"layer: Linear({into} -> {out})"


class TestWords:
    def read(self, layer: nn.Module, shape: tuple[int, ...]) -> dict[str, str]:
        explanation, *_ = explain(layer, shape)
        return {line.quantity: f"{line.expression} = {line.shown}".removeprefix(" = ") for line in explanation.lines}

    def remark(self, layer: nn.Module, shape: tuple[int, ...], quantity: str) -> str:
        explanation, *_ = explain(layer, shape)
        line = find(explanation, quantity)
        assert line is not None
        return line.remark

    def test_the_first_layer_of_alexnet(self) -> None:
        lines = self.read(nn.Conv2d(3, 96, 11, stride=4, device="meta"), (1, 3, 227, 227))
        assert lines == {
            "height, width": "floor((227 + 2*0 - 11) / 4) + 1 = 55",
            "parameters": "96 * (3 * 11 * 11) + 96 = 34,944",
            "MACs": "55 * 55 * 96 * (3 * 11 * 11) = 105,415,200",
            "output memory": "55 * 55 * 96 * 4 = 1,161,600 bytes",
            "receptive field": "1 + (11 - 1) * 1 = 11",
            "jump": "1 * 4 = 4",
        }

    def test_dilation(self) -> None:
        lines = self.read(nn.Conv2d(3, 4, 3, dilation=2, device="meta"), (1, 3, 20, 20))
        assert lines["height, width"] == "floor((20 + 2*0 - 2*(3 - 1) - 1) / 1) + 1 = 16"
        assert lines["receptive field"] == "1 + 2 * (3 - 1) * 1 = 5"

    def test_transposed(self) -> None:
        layer = nn.ConvTranspose2d(8, 4, 4, stride=2, padding=1, output_padding=1, device="meta")
        lines = self.read(layer, (1, 8, 7, 7))
        assert lines["height, width"] == "(7 - 1) * 2 - 2*1 + (4 - 1) + 1 + 1 = 15"
        assert lines["parameters"] == "8 * (4 * 4 * 4) + 4 = 516"
        assert lines["MACs"] == "7 * 7 * 8 * (4 * 4 * 4) = 25,088"

    @pytest.mark.parametrize(
        ("size", "ceil_mode", "expected", "remark"),
        [
            (112, True, "ceil((112 + 2*0 - 3) / 2) + 1 = 56", "rounded up: the last window lies 1 beyond the edge"),
            (112, False, "floor((112 + 2*0 - 3) / 2) + 1 = 55", "leaves 1: the last position of the input is not read"),
            (13, True, "ceil((13 + 2*0 - 3) / 2) + 1 = 6", "10 / 2 = 5, nothing dropped"),
        ],
    )
    def test_pools(self, size: int, ceil_mode: bool, expected: str, remark: str) -> None:
        layer = nn.MaxPool2d(3, 2, ceil_mode=ceil_mode)
        assert self.read(layer, (1, 4, size, size))["height, width"] == expected
        assert self.remark(layer, (1, 4, size, size), "height").endswith(remark)

    def test_a_window_that_would_begin_in_the_padding_is_left_out(self) -> None:
        layer = nn.MaxPool2d(2, 2, padding=1, ceil_mode=True)
        assert self.read(layer, (1, 4, 3, 3))["height, width"] == "ceil((3 + 2*1 - 2) / 2) + 1 - 1 = 2"

    def test_several_positions_that_nothing_reads(self) -> None:
        remark = self.remark(nn.Conv2d(1, 1, 3, stride=5, padding=1, device="meta"), (1, 1, 15, 15), "height")
        assert remark == "14 / 5 leaves 4: the last 4 positions of the padded input are not read"

    def test_adaptive_pools(self) -> None:
        lines = self.read(nn.AdaptiveAvgPool2d(6), (1, 4, 13, 13))
        assert lines["stride, height, width"] == "floor(13 / 6) = 2"
        assert lines["kernel, height, width"] == "13 - (6 - 1) * 2 = 3"
        lines = self.read(nn.AdaptiveAvgPool2d(7), (1, 4, 10, 10))
        assert lines["widest window, height, width"] == "ceil((2 + 1) * 10 / 7) - floor(2 * 10 / 7) = 3"
        lines = self.read(nn.AdaptiveAvgPool2d(1), (1, 4, 7, 5))
        assert lines["positions averaged"] == "7 * 5 = 35"
        assert "every window is 1 wide" in self.remark(nn.AdaptiveMaxPool1d(4), (1, 2, 2), "widest window")

    def test_groups(self) -> None:
        layer = nn.Conv2d(96, 256, 5, padding=2, groups=2, device="meta")
        assert self.remark(layer, (1, 96, 27, 27), "parameters").endswith("each filter reads 96 / 2 = 48 channels")
        layer = nn.Conv2d(8, 8, 3, groups=8, device="meta")
        assert self.remark(layer, (1, 8, 9, 9), "parameters").endswith("depthwise: each filter reads one channel")

    def test_dimensions_that_differ_have_their_own_lines(self) -> None:
        lines = self.read(nn.Conv2d(3, 4, (3, 5), stride=(1, 2), device="meta"), (1, 3, 20, 20))
        assert lines["height"] == "floor((20 + 2*0 - 3) / 1) + 1 = 18"
        assert lines["width"] == "floor((20 + 2*0 - 5) / 2) + 1 = 8"
        assert lines["receptive field, height"] == "1 + (3 - 1) * 1 = 3"
        assert lines["jump, width"] == "1 * 2 = 2"

    def test_borders_that_are_operations_of_their_own(self) -> None:
        lines = self.read(nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect", device="meta"), (1, 3, 20, 20))
        assert lines["padded width"] == "1 + 20 + 1 = 22"
        assert lines["height, width"] == "floor((22 + 2*0 - 3) / 1) + 1 = 20"

    def test_a_parametrised_weight_is_listed_as_it_is_held(self) -> None:
        layer = nn.utils.parametrizations.weight_norm(nn.Linear(6, 4))
        explanation, *_ = explain(layer, (1, 6))
        assert explanation.kind == "block"

    def test_normalisation_and_activation(self) -> None:
        assert self.read(nn.BatchNorm2d(8, device="meta").eval(), (1, 8, 4, 4))["parameters"] == "8 + 8 = 16"
        lines = self.read(nn.ReLU(), (1, 8, 4, 4))
        assert (lines["output"], lines["parameters, MACs"]) == ("1x8x4x4", "0")
        assert self.read(nn.LocalResponseNorm(5), (1, 8, 4, 4))["output"] == "1x8x4x4"

    def test_functional_code_is_read_operation_by_operation(self, evaluate: Evaluate) -> None:
        layer = nn.MultiheadAttention(8, 2, device="meta").eval()

        class Attend(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.layer = layer

            def forward(self, x: torch.Tensor) -> Any:
                return self.layer(x, x, x, need_weights=True)[0]

        summary = archscope.trace(Attend().eval(), torch.empty(5, 1, 8, device="meta"))
        explanation = Explainer(summary.trace, summary.costs).explain_words("layer")
        assert [line.quantity for line in explanation.lines].count("bmm") == 2
        total = next(line for line in reversed(explanation.lines) if line.quantity == "MACs")
        assert total.value == summary.costs.macs
        assert evaluate(total.expression) == total.value


def test_the_evaluator_refuses_what_is_no_arithmetic(evaluate: Evaluate) -> None:
    assert evaluate("floor((227 + 2*0 - 11) / 4) + 1") == 55
    for text in ("abs(3)", "2 ** 3", "x", "True"):
        with pytest.raises((ValueError, KeyError)):
            evaluate(text)


def test_equations_are_found_in_texts(equations: Callable[[str], Iterator[tuple[str, Fraction]]]) -> None:
    assert list(equations("216 / 4 = 54, nothing; 96 * (3 * 11) + 96  = 3,264 bytes")) == [
        ("216 / 4", 54),
        ("96 * (3 * 11) + 96", 3264),
    ]
