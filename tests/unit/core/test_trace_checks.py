"""Saved traces that contradict themselves: every kind of number that refers to something, and sizes that none has."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

import archscope
from archscope.core.codec import decode
from archscope.core.documents.trace import TraceDocument
from archscope.core.errors import DataError
from archscope.core.saved import read_trace


@pytest.fixture(scope="module")
def text() -> str:
    """Of a convolution, a pool and a linear layer: operations in a row, seven values and more."""
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4 * 3 * 3, 2))
    return json.dumps(archscope.trace(net, torch.zeros(1, 3, 8, 8)).to_dict(ops=True))


def _find_op(document: Any, name: str) -> Any:
    return next(op for op in document["ops"] if op["name"].startswith(name))


def _set(*way: Any) -> Callable[[Any], None]:
    """Put the last of `way` where the others lead."""

    def change(document: Any) -> None:
        *steps, key, value = way
        for step in steps:
            document = document[step]
        document[key] = value

    return change


def _argue(name: str, argument: str, value: Any) -> Callable[[Any], None]:
    return lambda document: _find_op(document, name)["arguments"].update({argument: value})


def _reshape(shape: list[int]) -> Callable[[Any], None]:
    """The convolution's input, wherever it stands."""

    def change(document: Any) -> None:
        number = document["inputs"][0]["value"]
        for holder in (document, *document["layers"], *document["ops"]):
            for tensor in (*holder["inputs"], *holder["outputs"]):
                if tensor["value"] == number:
                    tensor["shape"] = shape

    return change


CONTRADICTIONS: dict[str, tuple[Callable[[Any], None], str]] = {
    "a parent that comes later": (_set("layers", 2, "parent", 3), "no pre-order"),
    "a parent that is itself": (_set("layers", 2, "parent", 2), "no pre-order"),
    "a second root": (_set("layers", 2, "parent", None), "no pre-order"),
    "a depth of another parent": (_set("layers", 2, "depth", 5), "layers[2] has depth 5"),
    "a leaf with children": (_set("layers", 0, "leaf", True), "is a leaf, and has children"),
    "operations beyond the last": (_set("layers", 4, "end_op", 10**9), "layers[4] ran operations"),
    "operations that end before they begin": (_set("layers", 1, "first_op", 99), "layers[1] ran operations 99"),
    "an operation of no layer": (_set("ops", 1, "layer", 99), "ran in layer 99 of 5"),
    "an operation out of order": (_set("ops", 1, "index", 0), "ops[1] has index 0"),
    "an edge from nowhere": (_set("edges", 0, "producer", 99), "edges[0] goes from operation 99"),
    "an edge from before the first": (_set("edges", 0, "producer", -1), "edges[0] goes from operation -1"),
    "an edge to nowhere": (_set("edges", 0, "consumer", 99), "to 99 of 5"),
    "a value of two shapes": (
        _set("ops", 0, "outputs", 0, "shape", [1, 4, 6, 7]),
        "ops[0].outputs[0] has the shape [1, 4, 6, 7]",
    ),
    "a weight of no dimension": (_set("ops", 0, "inputs", 1, "shape", []), "which it cannot be"),
    "a convolution of a scalar": (_reshape([]), "ops[0] is aten.convolution of the shapes []"),
    "more elements than memory has addresses": (_reshape([2**40, 2**40]), "more elements than a tensor can hold"),
    "a kernel without end": (_argue("aten.max_pool2d", "kernel_size", [10**30, 10**30]), "larger than torch takes"),
    "a stride of nothing": (_argue("aten.convolution", "stride", [0, 0]), "is [0, 0], less than 1"),
    "a dilation backwards": (_argue("aten.convolution", "dilation", [-1, 1]), "is [-1, 1], less than 1"),
    "a parameter of another shape": (_set("state", 0, "shape", [4, 3, 3, 4]), "state[0] has the shape [4, 3, 3, 4]"),
    "uncounted layers that are not there": (
        _set("uncounted", [{"op": "x", "layers": [-1, 99], "calls": 1, "reason": ""}]),
        "uncounted[0] names layers",
    ),
    "totals of another model": (_set("totals", "params", 1), "totals.params is 1, and that of the root"),
    "a pass that failed and did not": (_set("forward_complete", False), "forward_complete is False"),
}


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_a_contradiction_is_told_with_its_place(text: str, name: str) -> None:
    change, told = CONTRADICTIONS[name]
    document = json.loads(text)
    change(document)
    with pytest.raises(DataError) as caught:
        read_trace(decode(document, TraceDocument, "x.json"), "x.json")
    assert told in caught.value.message
    assert caught.value.message.startswith("x.json: ")


def test_what_was_saved_is_sound(text: str) -> None:
    assert len(read_trace(decode(json.loads(text), TraceDocument)).ops) > 3


def test_a_lazy_parameter_has_no_shape_before_its_first_use() -> None:
    net = nn.Sequential(nn.LazyConv2d(8, 3), nn.Flatten(), nn.LazyLinear(5))
    document = archscope.trace(net, torch.zeros(1, 3, 8, 8)).to_dict(ops=True)
    assert read_trace(decode(document, TraceDocument)).totals.params == 8 * 3 * 9 + 8 + 5 * 8 * 36 + 5
