"""Sums over blocks, stacks beside one larger kernel, the names of layers, and whole models."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import cache
from typing import Any

import pytest
import torch
from torch import nn

import archscope
from archscope.analysis.explain import Explainer, Explanation, Line, find_layer, label_layers
from archscope.analysis.explain.arithmetic import add_terms, add_up, format_number
from archscope.api import Summary
from archscope.api.calls import trace_target
from archscope.core.codec import encode
from archscope.core.errors import DataError, UnknownNameError, UsageError
from archscope.core.words import TraceOptions
from archscope.rendering import render
from archscope.tables.explanation import build_explain_document, build_explanation_table

Evaluate = Callable[[str], Fraction]


@cache
def summarise(target: str) -> Summary:
    return trace_target(target, TraceOptions())


def explain(target: str, words: str) -> Explanation:
    summary = summarise(target)
    return Explainer(summary.trace, summary.costs).explain_words(words)


def list_lines(explanation: Explanation, quantity: str) -> list[Line]:
    return [line for line in explanation.lines if line.quantity == quantity]


def read(explanation: Explanation, quantity: str) -> Line:
    return list_lines(explanation, quantity)[0]


class TestBlocks:
    def test_an_inception_module(self) -> None:
        block = explain("googlenet", "inception_3a")
        first, second = list_lines(block, "branch3x3")
        assert first.expression == "(96 * (192 * 1 * 1) + 96) + (128 * (96 * 3 * 3) + 128)"
        assert (first.value, first.of) == (96 * 192 + 96 + 128 * 96 * 9 + 128, "parameters")
        assert second.expression == "28 * 28 * 96 * (192 * 1 * 1) + 28 * 28 * 128 * (96 * 3 * 3)"
        assert (second.value, second.of) == (28 * 28 * (96 * 192 + 128 * 96 * 9), "MACs")
        assert read(block, "parameters").expression == "12352 + 129248 + 15920 + 6176"
        assert read(block, "MACs").value == 128_049_152
        assert read(block, "channels").expression == "64 + 128 + 32 + 32"
        # 27 pixels before it, 8 to a step, and the farthest branch is the 5x5.
        assert read(block, "receptive field").value == 27 + 4 * 8

    def test_a_residual_block(self) -> None:
        block = explain("resnet50", "layer1.0")
        assert read(block, "parameters").value == 75_008
        assert read(block, "downsample").expression == "256 * (64 * 1 * 1) + (256 + 256)"
        assert read(block, "addition").text == "1x256x56x56"

    def test_a_stage_of_equal_blocks(self) -> None:
        stage = explain("resnet50", "layer1")
        assert read(stage, "parameters").expression == "75008 + 2 * 70400"
        assert read(stage, "parameters").value == 215_808

    def test_a_layer_that_is_called_twice_counts_its_parameters_once(self, handmade: Any) -> None:
        net = handmade((1, 4, 6, 6))
        net.enter("", "Net", 0)
        x = net.convolve("conv", 0, 4, 6, padding=1)
        x = net.convolve("conv", x, 4, 6, padding=1)
        net.leave(x)
        explainer = Explainer(*net.build(x))
        block = explainer.explain_words(".")
        assert read(block, "parameters").value == 4 * 4 * 9
        assert read(block, "parameters").expression == ""
        assert read(block, "MACs").value == 2 * 6 * 6 * 4 * 4 * 9
        assert explainer.explain_words("conv#2").call == 1

    def test_what_has_no_formula_is_said(self, handmade: Any) -> None:
        net = handmade((1, 4))
        net.enter("", "Net", 0)
        x = net.call("odd", "Odd", 0, (1, 4))
        x = net.run("aten.odd", [x], (1, 4), None)
        net.leave(x)
        block = Explainer(*net.build(x)).explain_words(".")
        assert read(block, "MACs").text == "unknown"


class TestStacks:
    def test_three_3x3_convolutions_beside_one_7x7(self) -> None:
        stack = explain("vgg16", "features.24:features.28")
        assert [line.value for line in stack.lines[:3]] == [3, 5, 7]
        assert read(stack, "receptive field").shown == "7 x 7"
        assert read(stack, "weights").expression == "3 * (512 * 512 * 3 * 3)"
        assert read(stack, "weights").value == 27 * 512 * 512
        single = read(stack, "one 7x7 kernel")
        assert (single.value, single.remark) == (49 * 512 * 512, "49 C*C weights: 81 % more")
        assert stack.title == "features.24 to features.28: 3 convolutions (3 of 3x3)"

    def test_two_of_them(self) -> None:
        stack = explain("vgg16", "conv12:conv13")
        assert read(stack, "receptive field").value == 5
        assert read(stack, "one 5x5 kernel").remark == "25 C*C weights: 39 % more"

    def test_strides_widen_what_comes_after(self) -> None:
        stack = explain("alexnet", "conv1:conv2")
        # 11, then a pool over 4 pixels to a step, then 5 taps over 8 pixels to a step.
        assert read(stack, "receptive field").value == 11 + 2 * 4 + 4 * 8
        assert read(stack, "one 51x51 kernel").value == 256 * 3 * 51 * 51

    def test_branches_count_by_the_farthest_path(self) -> None:
        stack = explain("googlenet", "inception_3a:inception_3b")
        assert read(stack, "receptive field").value == 9
        assert read(stack, "one 9x9 kernel").value == 192 * 480 * 81

    def test_a_stack_that_sees_everything(self) -> None:
        assert read(explain("vgg16", "conv13:fc14"), "receptive field").text == "the whole input"

    def test_the_order_of_the_names(self) -> None:
        with pytest.raises(UsageError, match="does not come after"):
            explain("vgg16", "features.28:features.24")


class TestOperations:
    """Operations that torch leaves whole only on some devices, and parameters that modules share."""

    def test_a_linear_operation_reads_what_was_flattened(self, handmade: Any) -> None:
        net = handmade((1, 4, 3, 3))
        net.enter("", "Net", 0)
        flat = net.run("aten.view", [0], (1, 36))
        net.enter("fc", "Linear", flat, in_features=36, out_features=5)
        weight = net.add_parameter("fc.weight", (5, 36))
        x = net.run("aten.linear", [flat, weight], (1, 5), 5 * 36)
        net.ops[-1] = replace(
            net.ops[-1],
            inputs=tuple(
                replace(ref, spec=replace(ref.spec, key=key))
                for ref, key in zip(net.ops[-1].inputs, ("input", "weight"), strict=True)
            ),
        )
        net.leave(x)
        net.leave(x)
        explanation = Explainer(*net.build(x)).explain_words("fc")
        assert read(explanation, "features").expression == "4 * 3 * 3"
        assert read(explanation, "MACs").expression == "36 * 5"
        assert read(explanation, "parameters").remark == "no biases"

    def test_a_stack_of_transposed_convolutions_has_no_one_kernel(self) -> None:
        layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ConvTranspose2d(4, 4, 2, 2), nn.Conv2d(4, 4, 3))
        summary = archscope.trace(layers, torch.empty(1, 3, 12, 12))
        stack = Explainer(summary.trace, summary.costs).explain_words("0:2")
        assert not [line for line in stack.lines if line.quantity.startswith("one ")]
        assert read(stack, "MACs").value == summary.costs.macs

    def test_shared_parameters_are_said(self) -> None:
        first = nn.Linear(4, 4)
        second = nn.Linear(4, 4)
        second.weight = first.weight
        summary = archscope.trace(nn.Sequential(first, second), torch.empty(1, 4))
        assert "shared with 1" in read(Explainer(summary.trace, summary.costs).explain_words("0"), "parameters").remark


class TestNames:
    def test_paths_calls_and_labels(self) -> None:
        trace = summarise("vgg16").trace
        assert find_layer(trace, "features.24").path == "features.24"
        assert find_layer(trace, "conv1").path == "features.0"
        assert find_layer(trace, "CONV13").path == "features.28"
        assert find_layer(trace, "fc16").path == "classifier.6"
        assert find_layer(trace, "pool5").path == "features.30"
        assert find_layer(trace, ".").parent is None
        assert find_layer(summarise("googlenet").trace, "Inception_3A").path == "inception_3a"
        assert find_layer(summarise("resnet18").trace, "layer1.0.relu#2").call == 1

    def test_labels_belong_to_chains(self) -> None:
        assert label_layers(summarise("resnet18").trace) == {}

    @pytest.mark.parametrize(("word", "near"), [("conv17", "conv1"), ("features.99", "features.9"), ("layer1", "")])
    def test_what_is_unknown(self, word: str, near: str) -> None:
        with pytest.raises(UnknownNameError) as caught:
            explain("vgg16", word)
        assert caught.value.exit_code == 2
        assert near in caught.value.remedy

    def test_a_trace_without_operations(self, chain: Any) -> None:
        trace, costs = chain
        with pytest.raises(DataError, match="saved without its operations"):
            Explainer(replace(trace, ops=(), edges=(), state=()), costs)


MODELS = (
    "alexnet alexnet_2012 vgg11_lrn vgg16c vgg16_bn googlenet resnet18 resnet50 resnet152_v1 plain34 resnet20 resnet56 "
    "vgg16_cifar resnet50_cifar"
)  # fmt: skip


@pytest.mark.parametrize("name", MODELS.split())
def test_every_expression_of_every_layer_evaluates_to_its_number(name: str, evaluate: Evaluate, equations: Any) -> None:
    summary = summarise(name)
    explanations = Explainer(summary.trace, summary.costs).explain_all()
    assert len(explanations) == len(summary.trace.layers)
    for explanation, layer in zip(explanations, summary.trace.layers, strict=True):
        for line in explanation.lines:
            assert not line.expression or evaluate(line.expression) == line.value, (layer.path, line)
            for expression, number in equations(line.remark):
                assert evaluate(expression) == number, line.remark
        totals = {line.quantity: line.value for line in explanation.lines if not line.of}
        assert totals.get("MACs", 0) == summary.costs.layers[layer.id].macs
        assert totals.get("parameters", 0) == layer.params
        if layer.outputs and len(layer.outputs[0].shape) == 4 and "height, width" in totals:
            assert totals["height, width"] == layer.outputs[0].shape[-1]


def test_a_narrow_terminal_wraps_sums_and_cuts_nothing(evaluate: Evaluate) -> None:
    for target, words in (("alexnet", "."), ("googlenet", "inception_3a"), ("resnet50", "layer2.0")):
        explanation = explain(target, words)
        for width in (60, 80, 100, 200):
            text = render(build_explanation_table(explanation, width), width=width)
            assert max(map(len, text.splitlines())) <= width
            assert "…" not in text
        wide = build_explanation_table(explanation)
        narrow = build_explanation_table(explanation, 80)
        joined = " ".join(row.cells[2].text for row in narrow.rows)
        assert all(row.cells[2].text in joined for row in wide.rows)


def test_the_document() -> None:
    summary = summarise("alexnet")
    explanation = explain("alexnet", "conv1")
    document = encode(build_explain_document([explanation], summary.trace))
    assert document["schema"] == "archscope.explain/1"
    entry = document["explanations"][0]
    assert (entry["kind"], entry["layer"], entry["inputs"]) == ("layer", "conv1", [[1, 3, 227, 227]])
    assert entry["lines"][0] == {
        "quantity": "height, width",
        "expression": "floor((227 + 2*0 - 11) / 4) + 1",
        "value": 55,
        "text": "55",
        "remark": "216 / 4 = 54, nothing dropped",
        "of": None,
    }


@pytest.mark.parametrize(
    ("value", "text"), [(1234, "1,234"), (Fraction(8, 2), "4"), (Fraction(1, 2), "0.5"), (Fraction(1, 3), "1/3")]
)
def test_numbers(value: Any, text: str) -> None:
    assert format_number(value) == text


def test_sums() -> None:
    assert add_up([5, 7, 7, 7, 5]) == "5 + 3 * 7 + 5"
    assert add_terms(["2 * 3", "2 * 3", "4 + 1"]) == "2 * (2 * 3) + (4 + 1)"
    assert add_terms(["4 + 1"]) == "4 + 1"
