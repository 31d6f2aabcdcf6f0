"""Runs of identical siblings."""

from typing import Any

import pytest

from archscope.analysis.outline import fold_siblings, sign_subtrees
from archscope.core.trace import name_relative


def fold_root(trace: Any, costs: Any, **options: Any) -> list[tuple[str, int]]:
    signatures = sign_subtrees(trace, costs, **options)
    return [(run.label, len(run.calls)) for run in fold_siblings(trace, signatures, trace.children[0])]


def build_siblings(handmade: Any, names: list[str], channels: list[int] | None = None) -> Any:
    net = handmade((1, 4, 6, 6))
    net.enter("", "Net", 0)
    x = 0
    for name, count in zip(names, channels or [4] * len(names), strict=True):
        x = net.convolve(name, x, count, 6, padding=1)
    net.leave(x)
    return net.build(x)


def test_whole_subtrees_are_compared(residual: Any) -> None:
    trace, costs = residual
    blocks = next(layer.id for layer in trace.layers if layer.path == "blocks")
    runs = fold_siblings(trace, sign_subtrees(trace, costs), trace.children[blocks])
    # The first block has another kernel inside, the other two are alike.
    assert [(run.label, len(run.calls)) for run in runs] == [("0", 1), ("1-2", 2)]


@pytest.mark.parametrize(
    ("names", "label"),
    [
        (["0", "1", "2"], "0-2"),
        (["block9", "block10"], "block9-10"),
        (["layers.3", "layers.4"], "layers.3-4"),
        (["query", "key", "value"], "query, key, value"),
        (["0", "2"], "0, 2"),
        (["first_projection", "second_projection"], "first_projection .. second_projection"),
    ],
)
def test_labels(handmade: Any, names: list[str], label: str) -> None:
    assert fold_root(*build_siblings(handmade, names)) == [(label, len(names))]


def test_one_other_channel_ends_the_run(handmade: Any) -> None:
    # Outputs 4, 4, 5, 5: the third reads 4 channels and the fourth reads 5, so their parameters differ.
    assert fold_root(*build_siblings(handmade, ["0", "1", "2", "3"], [4, 4, 5, 5])) == [("0-1", 2), ("2", 1), ("3", 1)]


def test_a_module_called_again_folds_with_its_later_calls(handmade: Any) -> None:
    trace, costs = build_siblings(handmade, ["conv", "conv", "conv"])
    # The first call holds the parameters, the others repeat it.
    assert fold_root(trace, costs) == [("conv", 1), ("conv", 2)]


def test_operations_count_only_where_they_are_shown(handmade: Any) -> None:
    net = handmade((1, 4))
    net.enter("", "Net", 0)
    x = 0
    for index, name in enumerate(["aten.roll", "aten.flip"]):
        net.enter(str(index), "Shift", x)
        x = net.run(name, [x], (1, 4))
        net.leave(x)
    net.leave(x)
    trace, costs = net.build(x)
    assert fold_root(trace, costs) == [("0-1", 2)]
    assert fold_root(trace, costs, ops=True) == [("0", 1), ("1", 1)]


def test_a_failed_layer_folds_with_none(handmade: Any) -> None:
    net = handmade((1, 4))
    net.enter("", "Net", 0)
    for index in range(2):
        net.enter(str(index), "Linear", 0)
        net.leave()
    net.enter("2", "Linear", 0)
    net.fail("no")
    assert fold_root(*net.build()) == [("0-1", 2), ("2", 1)]


@pytest.mark.parametrize(
    ("path", "base", "name"),
    [("a.b.c", "a", "b.c"), ("a.b", "", "a.b"), ("other.x", "a", "other.x"), ("ab.c", "a", "ab.c"), ("a", "a", "a")],
)
def test_relative_names(path: str, base: str, name: str) -> None:
    assert name_relative(path, base) == name
