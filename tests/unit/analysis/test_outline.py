"""Chains are opened, branches are blocks; the dataflow decides, not the names."""

from typing import Any

from archscope.analysis.outline import outline_trace


def list_paths(trace: Any) -> list[str]:
    return [
        trace.layers[item.layer].path + ("*" if item.block else "")
        if item.op is None
        else f"<{trace.ops[item.op].name}>"
        for item in outline_trace(trace).items
    ]


def test_a_chain_is_its_leaves(chain: Any) -> None:
    trace, _ = chain
    assert list_paths(trace) == ["conv1", "relu1", "conv2", "pool", "flatten", "fc"]
    assert not outline_trace(trace).branches


def test_a_residual_block_stays_closed(residual: Any) -> None:
    trace, _ = residual
    assert list_paths(trace) == ["stem", "blocks.0*", "blocks.1*", "blocks.2*"]
    assert outline_trace(trace).branches


def test_parallel_branches_meet_in_a_concatenation(handmade: Any) -> None:
    net = handmade((1, 4, 6, 6))
    net.enter("", "Net", 0)
    net.enter("mixed", "Mixed", 0)
    a = net.convolve("mixed.a", 0, 2, 6, kernel=1)
    b = net.convolve("mixed.b", 0, 2, 6, kernel=1)
    x = net.run("aten.cat", [a, b], (1, 4, 6, 6))
    net.leave(x)
    net.enter("tail", "Identity", x)
    net.leave(x)
    net.leave(x)
    trace, _ = net.build(x)
    assert list_paths(trace) == ["mixed*", "tail"]


def test_the_root_is_opened_even_where_its_own_branches_meet(handmade: Any) -> None:
    net = handmade((1, 4, 6, 6))
    net.enter("", "Net", 0)
    a = net.convolve("a", 0, 4, 6, kernel=1)
    x = net.run("aten.add", [a, 0], (1, 4, 6, 6))
    net.leave(x)
    trace, _ = net.build(x)
    assert list_paths(trace) == ["a", "<aten.add>"]
    assert outline_trace(trace).branches


def test_a_lone_child_is_opened_as_the_root_is(handmade: Any) -> None:
    net = handmade((1, 4, 6, 6))
    net.enter("", "Wrapper", 0)
    net.enter("module", "Net", 0)
    a = net.convolve("module.a", 0, 4, 6, kernel=1)
    x = net.run("aten.add", [a, 0], (1, 4, 6, 6))
    net.leave(x)
    net.leave(x)
    trace, _ = net.build(x)
    assert list_paths(trace) == ["module.a", "<aten.add>"]


def test_a_parameter_that_is_added_is_no_branch(handmade: Any) -> None:
    net = handmade((1, 4))
    net.enter("", "Net", 0)
    net.enter("inner", "Inner", 0)
    position = net.add_parameter("inner.position", (1, 4))
    scaled = net.run("aten.mul", [position], (1, 4))
    x = net.run("aten.add", [0, scaled], (1, 4))
    x = net.connect("inner.fc", x, 4)
    net.leave(x)
    x = net.connect("head", x, 2)
    net.leave(x)
    trace, _ = net.build(x)
    assert list_paths(trace) == ["<aten.mul>", "<aten.add>", "inner.fc", "head"]
    assert not outline_trace(trace).branches


def test_a_mask_given_to_every_block_opens_their_container(handmade: Any) -> None:
    net = handmade((1, 4), (1, 4))
    net.enter("", "Net", 0, 1)
    net.enter("layers", "Encoder", 0, 1)
    x = 0
    for index in range(2):
        net.enter(f"layers.{index}", "Block", x, 1)
        y = net.connect(f"layers.{index}.fc", x, 4)
        x = net.run("aten.mul", [y, 1], (1, 4))
        net.leave(x)
    net.leave(x)
    net.enter("head", "Identity", x)
    net.leave(x)
    net.leave(x)
    trace, _ = net.build(x)
    assert list_paths(trace) == ["layers.0*", "layers.1*", "head"]


def test_a_module_of_operations_alone_is_its_operations(handmade: Any) -> None:
    net = handmade((1, 4))
    net.enter("", "Functional", 0)
    x = net.run("aten.mm", [0, net.add_parameter("weight", (4, 2))], (1, 2), 8)
    x = net.run("aten.relu", [x], (1, 2))
    net.leave(x)
    trace, _ = net.build(x)
    assert list_paths(trace) == ["<aten.mm>", "<aten.relu>"]
