"""Values are never guessed, the user's module is never run, and what would fail for real is not passed."""

import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import archscope
from archscope.core.errors import UsageError

LARGE = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


class Fn(nn.Module):
    def __init__(self, function: Callable[..., Any], **attributes: Any) -> None:
        super().__init__()
        self.function = function
        for name, value in attributes.items():
            setattr(self, name, value)

    def forward(self, *inputs: Any) -> Any:
        return self.function(self, *inputs)


def swallows(_: nn.Module, x: torch.Tensor) -> torch.Tensor:
    try:
        many = int(x.abs().max().item())
    except RuntimeError:
        many = 0
    return x.mean([2, 3]) if many else x


def replaces_data(_: nn.Module, x: torch.Tensor) -> torch.Tensor:
    flag = torch.zeros(1)
    flag.data = x.abs().max().reshape(1)
    return x if flag.item() == 0 else x.mean([2, 3])


def reads_statistics(module: Any, x: torch.Tensor) -> torch.Tensor:
    module.norm(x)
    return x if module.norm.running_mean.abs().sum().item() == 0 else x.mean([2, 3])


@pytest.mark.parametrize(
    "make",
    [lambda: Fn(swallows), lambda: Fn(replaces_data), lambda: Fn(reads_statistics, norm=nn.BatchNorm2d(3))],
    ids=["swallowed", "data replaced", "statistics"],
)
def test_a_branch_that_needs_values_is_taken_for_real(make: Callable[[], nn.Module]) -> None:
    summary = archscope.trace(make(), LARGE)
    assert summary.trace.mode == "real"
    assert summary.trace.outputs[0].shape == (2, 3)


@pytest.mark.parametrize(
    "function",
    [
        lambda _, x: x.mean([5]),
        lambda _, x: torch.cat([x, x], 5),
        lambda _, x: torch.cat([x, x], -7),
        lambda _, x: F.max_pool2d(x, (2, 2, 2)),
        lambda _, x: F.avg_pool2d(x, (2, 2, 2)),
        lambda _, x: F.avg_pool2d(x, 2, divisor_override=0),
        lambda _, x: torch.cat([x.sum(), x.sum()]),
        lambda _, x: torch.cat([]),
        lambda _, x: nn.BatchNorm2d(3).eval()(x.double()),
        lambda _, x: nn.LayerNorm(64)(x.double()),
        lambda _, x: F.linear(x, torch.ones(2, 64), torch.ones(2).double()),
    ],
)
def test_what_fails_for_real_fails_here(function: Any) -> None:
    with pytest.raises((RuntimeError, IndexError, ValueError)) as real:
        function(None, LARGE)
    with pytest.raises(archscope.ForwardError) as caught:
        archscope.trace(Fn(function), LARGE)
    assert type(caught.value.__cause__).__name__ in ("RuntimeError", "IndexError", type(real.value).__name__)
    assert "modulo" not in str(caught.value)


def test_a_sparse_or_nested_operand_is_no_plain_product() -> None:
    sparse = torch.eye(50).to_sparse()
    summary = archscope.trace(Fn(lambda _, a, x: a @ x), sparse, torch.ones(50, 8))
    assert summary.costs.macs is None
    assert "sparse" in summary.costs.uncounted[0].reason
    with pytest.warns(UserWarning, match="nested"):
        nested = torch.nested.nested_tensor([torch.ones(3, 8), torch.ones(5, 8)])
    assert archscope.trace(nn.Linear(8, 4), nested).costs.macs is None


def test_a_module_with_its_own_call_is_recorded() -> None:
    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(8, 5)

        def __call__(self, x: torch.Tensor) -> torch.Tensor:
            return self.layer(x) @ torch.ones(5, 2)

    summary = archscope.trace(Own(), torch.ones(3, 8))
    assert [(layer.path, layer.parent) for layer in summary.trace.layers] == [("", None), ("layer", 0)]
    assert summary.costs.macs == 3 * 40 + 3 * 10
    with pytest.raises(archscope.ForwardError, match="mat1 and mat2"):
        archscope.trace(Own(), torch.ones(3, 7))


def test_arrays_of_buffers_and_inputs() -> None:
    buffer = Fn(lambda module, x: x * float(module.table.numpy()[0]))
    buffer.register_buffer("table", torch.tensor([3.0, 2.0]))
    assert archscope.trace(buffer, LARGE).trace.mode == "meta"
    array = Fn(lambda _, x: torch.from_numpy(x.detach().numpy() * 2))
    assert archscope.trace(array, LARGE).trace.mode == "real"


def test_tracing_under_inference_mode() -> None:
    with torch.inference_mode():
        assert archscope.trace(nn.BatchNorm2d(3), LARGE).trace.training is True
        assert archscope.trace(nn.ReLU(inplace=True), LARGE).trace.failure is None


def test_tracing_under_autocast() -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        summary = archscope.trace(nn.Linear(4, 4), torch.ones(2, 4))
    assert (summary.trace.mode, summary.trace.outputs[0].spec.dtype) == ("fake", "bfloat16")


def test_a_child_that_knows_its_parent() -> None:
    module = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
    module[0].parent = module
    assert archscope.trace(module, torch.ones(2, 4)).costs.macs == 32


def test_a_patched_forward_runs_on_the_copy() -> None:
    class Counts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 4)
            self.norm = nn.BatchNorm1d(4)
            self.calls = 0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.calls += 1
            return self.norm(self.layer(x))

    module = Counts()
    original = module.forward
    module.forward = lambda x: original(x) + 1  # type: ignore[method-assign]
    summary = archscope.trace(module, torch.ones(2, 4))
    assert module.calls == 0
    assert int(module.norm.num_batches_tracked or 0) == 0
    assert [layer.path for layer in summary.trace.layers] == ["", "layer", "norm"]
    assert summary.trace.never_called == ()


def test_overlapping_traces_leave_compilation_as_it_was() -> None:
    import torch._dynamo

    before = torch._dynamo.eval_frame._stance.stance
    inside, leave = threading.Event(), threading.Event()

    def wait(_: nn.Module, x: torch.Tensor) -> torch.Tensor:
        inside.set()
        leave.wait(20)
        return x

    first = threading.Thread(target=lambda: archscope.trace(nn.Linear(4, 4), torch.ones(1, 4)))
    second = threading.Thread(target=lambda: archscope.trace(Fn(wait), torch.ones(1, 4)))
    second.start()
    inside.wait(20)
    first.start()
    first.join()
    assert torch._dynamo.eval_frame._stance.stance == "force_eager"
    leave.set()
    second.join()
    assert torch._dynamo.eval_frame._stance.stance == before


def test_large_constants_are_not_computed(measure_memory: Callable[[str], tuple[list[int], int]]) -> None:
    code = """
import archscope

class Allocates(torch.nn.Module):
    def forward(self, x):
        return x.new_full((4, 100_000_000), 0.5).sum() + torch.arange(768).repeat(100_000, 1).sum()

print(int(archscope.trace(Allocates(), torch.ones(2)).trace.mode == "meta"))
"""
    (on_meta,), grown_bytes = measure_memory(code)
    assert on_meta
    assert grown_bytes < 200_000_000  # one of the constants has 614 MB, the other 1.6 GB


def test_the_failure_is_in_the_layer_that_failed_last() -> None:
    class Falls(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fast, self.slow = nn.Linear(5, 2), nn.Linear(6, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            try:
                return self.fast(x)
            except RuntimeError:
                return self.slow(x)

    with pytest.raises(archscope.ForwardError) as caught:
        archscope.trace(Falls(), torch.ones(1, 4))
    failure = caught.value.summary.trace.failure
    assert failure is not None
    assert failure.path == "slow"


def test_odd_attributes_and_wrong_targets() -> None:
    module = nn.Linear(4, 4)
    endless: list[Any] = []
    endless.append(endless)
    module.size = endless  # type: ignore[assignment]
    assert archscope.trace(module, torch.ones(1, 4)).costs.macs == 16
    for wrong in (nn.Linear, lambda x: x, 7):
        with pytest.raises(UsageError, match="cannot be traced"):
            archscope.trace(wrong, torch.ones(1, 4))


PRINTS = """
import sys
from torch import nn


class Prints(nn.Module):
    def __init__(self, leave=False):
        super().__init__()
        self.layer, self.leave = nn.Linear(4, 4), leave

    def forward(self, x):
        print("shape", x.shape)
        if self.leave:
            sys.exit(0)
        return self.layer(x)
"""


def test_what_forward_prints_is_no_part_of_the_result(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    import json

    from archscope.cli.app import main

    path = tmp_path / "my net.py"
    path.write_text(PRINTS)
    assert main(["trace", f"{path}:Prints", "--input", "1x4:float32", "--format", "json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["totals"]["macs"] == 16
    assert "shape" in captured.err
    assert main(["trace", f"{path}:Prints", "--input", "1x4:float32", "--arg", "leave=true"]) == 3
    assert "called exit" in capsys.readouterr().err
    assert main(["trace", "alexnet", "--input", "2147483647x2147483647x1"]) == 2
    assert sys.stdout is not sys.stderr
