"""The observer of a forward pass: which call is innermost, how calls end, and where autograd's nodes were made."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from archscope.tracing.calls import hide_calls, observe_calls
from archscope.tracing.observer import ForwardObserver, ModuleCall, OperationObserver, Place


class Diary(OperationObserver[ModuleCall]):
    call_type = ModuleCall

    def __init__(self, root: nn.Module) -> None:
        super().__init__(root)
        self.lines: list[Any] = []

    def on_call(self, call: ModuleCall, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        around = None if self.innermost is None else self.innermost.place.path
        self.lines.append(("call", around, call.place.path, call.call, call.depth, len(args), sorted(kwargs)))

    def on_return(self, call: ModuleCall, output: Any) -> None:
        assert self.innermost is call
        self.lines.append(("return", call.place.path))

    def on_error(self, call: ModuleCall, error: BaseException) -> None:
        assert self.innermost is call
        self.lines.append(("error", call.place.path, str(error)))

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.lines.append((str(func), self.innermost and self.innermost.place))
        return func(*args, **(kwargs or {}))


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.act = nn.Tanh()

    def forward(self, x: Tensor, scale: float = 1.0) -> Tensor:
        return self.act(self.act(x) * scale)


class Direct(Twice):
    """Past `Module.__call__`, as some wrappers do."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.forward(*args, **kwargs)


@pytest.mark.parametrize("kind", [Twice, Direct])
def test_calls_and_operations_in_order(kind: type[nn.Module]) -> None:
    diary = Diary(kind())
    with diary:
        diary.call_root((torch.ones(2),), {"scale": 2.0})
    act, outer = Place("act", "Tanh"), Place("", kind.__name__)
    assert [line for line in diary.lines if line[0] != "aten.ones.default"] == [
        ("call", None, "", 0, 0, 1, ["scale"]),
        ("call", "", "act", 0, 1, 1, []),
        ("aten.tanh.default", act),
        ("return", "act"),
        ("aten.mul.Tensor", outer),
        ("call", "", "act", 1, 1, 1, []),
        ("aten.tanh.default", act),
        ("return", "act"),
        ("return", ""),
    ]
    assert diary.innermost is None


def test_hooks_run_inside_the_call_and_change_what_is_seen() -> None:
    class Keeper(ForwardObserver[ModuleCall]):
        call_type = ModuleCall
        outputs: tuple[float, ...] = ()

        def on_return(self, call: ModuleCall, output: Any) -> None:
            self.outputs += (float(output),)

    net = Twice()
    net.act.register_forward_hook(lambda module, args, output: output + 5)
    keeper = Keeper(net)
    assert float(keeper.call_root((torch.zeros(1),), {"scale": 0.0})) == 5
    assert keeper.outputs == (5, 5, 5)


def test_a_root_that_calls_itself_is_seen_each_time() -> None:
    class Again(nn.Module):
        def forward(self, x: Tensor, times: int) -> Tensor:
            return self(x, times - 1) if times else x

    diary = Diary(Again())
    diary.call_root((torch.ones(1), 2), {})
    calls = [line for line in diary.lines if line[0] == "call"]
    assert [(line[3], line[4]) for line in calls] == [(0, 0), (1, 1), (2, 2)]


def test_errors_pass_each_call_they_leave() -> None:
    class Fails(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.act = nn.Linear(3, 3), nn.ReLU()

        def forward(self, x: Tensor) -> Tensor:
            try:
                return self.fc(x)
            except RuntimeError:
                self.act(x)
                raise ValueError("given up") from None

    diary = Diary(Fails())
    with pytest.raises(ValueError, match="given up"):
        diary.call_root((torch.ones(4, 4),), {})
    assert [line[:2] for line in diary.lines if line[0] != "call"] == [
        ("error", "fc"),
        ("return", "act"),
        ("error", ""),
    ]
    assert diary.innermost is None


def test_a_module_made_in_forward_belongs_to_the_call_around_it() -> None:
    class Makes(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return nn.Sequential(nn.ReLU())(x)

    seen: list[ModuleCall] = []

    class Keeper(ForwardObserver[ModuleCall]):
        call_type = ModuleCall

        def on_return(self, call: ModuleCall, output: Any) -> None:
            seen.append(call)

    net = nn.Sequential(Makes())
    with observe_calls(Keeper(net)):
        net(torch.ones(2))
        with hide_calls():
            net(torch.ones(2))
    assert [(call.place, call.registered, call.depth) for call in seen] == [
        (Place("0", "ReLU"), False, 3),
        (Place("0", "Sequential"), False, 2),
        (Place("0", "Makes"), True, 1),
        (Place("", "Sequential"), True, 0),
    ]
    assert [call.is_layer for call in seen] == [False, False, True, False]
    assert seen[0].is_within(seen[3])
    assert not seen[3].is_within(seen[0])


def test_nodes_are_known_by_the_call_that_made_them() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.out = nn.Linear(2, 2), nn.Linear(2, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.out(self.fc(x) * 3) + 1

    watcher = Diary(Net())
    before = torch.ones(2, requires_grad=True) * 2
    output = watcher.call_root((before,), {})
    loss = output.sum()
    nodes: dict[str, list[str | None]] = {}
    waiting = [loss.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is not None and not hasattr(node, "variable"):
            maker = watcher.find_maker(node._sequence_nr())
            nodes.setdefault(node.name().rstrip("0123456789"), []).append(maker and maker.path)
            waiting += [following for following, _ in node.next_functions]
    # `before` was multiplied by 2 outside, what `fc` gave by 3 inside.
    assert nodes["SumBackward"] == [None]
    assert nodes["AddBackward"] == [""]
    assert sorted(nodes["MulBackward"], key=str) == ["", None]
    linear = [paths for name, paths in nodes.items() if name in ("AddmmBackward", "ViewBackward")]
    assert {path for paths in linear for path in paths} == {"fc", "out"}
