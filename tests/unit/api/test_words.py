"""What Python callers get wrong is told before any work, as plainly as on the command line."""

import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import archscope
from archscope.api.words import read_inputs
from archscope.core.errors import ArchscopeError, DataError, UnknownNameError, UsageError


class Perceiver(nn.Module):
    """Its forward has a parameter that is named like an option."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 2)

    def forward(self, inputs: Tensor) -> Tensor:
        result: Tensor = self.layer(inputs)
        return result


class Boom(nn.Module):
    """Fails after its first layer: 4*3 MACs."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        self.first(x)
        raise ValueError


class Constant(nn.Module):
    """Takes nothing and gives its parameter: 6 of them."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(2, 3))

    def forward(self) -> Tensor:
        return self.weight * 2


class TestInputs:
    def test_a_module_that_takes_nothing_needs_nothing(self) -> None:
        summary = archscope.trace(Constant())
        assert (summary.params, summary.layers[0].output_shape) == (6, (2, 3))

    def test_a_tensor_for_a_parameter_called_inputs_is_the_forward_s(self) -> None:
        summary = archscope.trace(Perceiver(), inputs=torch.zeros(5, 4))
        assert summary["layer"].output_shape == (5, 2)

    def test_words_are_the_option_s_even_there(self) -> None:
        assert archscope.trace(Perceiver(), inputs="inputs=7x4")["layer"].output_shape == (7, 2)

    @pytest.mark.parametrize(("given", "word"), [(32, "32"), ((3, 32, 32), "3x32x32"), ([1, 4], "1x4")])
    def test_sizes_as_integers(self, given: Any, word: str) -> None:
        assert read_inputs(given) == read_inputs(word)

    @pytest.mark.parametrize("given", [3.5, True, {"x": 1}, [3, "x"], torch.zeros(2)])
    def test_what_is_no_input(self, given: Any) -> None:
        with pytest.raises(UsageError, match="inputs cannot be read from"):
            read_inputs(given)


CALLS: list[tuple[Callable[[], object], type[ArchscopeError], str]] = [
    (lambda: archscope.trace("resnet18", mode="foo"), UnknownNameError, "unknown mode 'foo'"),
    (lambda: archscope.trace("resnet18", training="yes"), UsageError, "training cannot be 'yes'"),
    (lambda: archscope.trace("resnet18", torch.zeros(1, 3, 8, 8), inputs="64"), UsageError, "inputs are given twice"),
    (
        lambda: archscope.trace("resnet18", arguments={"num_classes": 3}, num_classes=4),
        UsageError,
        "num_classes is given twice",
    ),
    (lambda: archscope.explain("alexnet", 3), UsageError, "named by its path, not by 3"),
    (lambda: archscope.table(Perceiver(), style="zzz"), UnknownNameError, "unknown style 'zzz'"),
    (lambda: archscope.table(Perceiver(), style="paper"), UsageError, "a module is one model"),
    (lambda: archscope.fit(Perceiver(), batch=2), UsageError, "fit takes a target in words"),
    (lambda: archscope.benchmark(Perceiver()), UsageError, "benchmark takes a target in words"),
    (lambda: archscope.train(Perceiver()), UsageError, "train takes a target in words"),
    (lambda: archscope.train("saved.json"), UsageError, "saved trace"),
    (lambda: archscope.benchmark("resnet20", "saved.json"), UsageError, "saved.json is a saved trace"),
    (lambda: archscope.verify("net.py:Net"), UsageError, "net.py:Net has no published figures of its own"),
    (lambda: archscope.verify("timm:resnet18"), UsageError, "timm:resnet18 has no published figures of its own"),
    (lambda: archscope.train("resnet20", epochs=0), UsageError, "epochs cannot be 0"),
    (lambda: archscope.train("resnet20", batch_size=1), UsageError, "batch_size cannot be 1"),
    (lambda: archscope.train("resnet19", data="nowhere"), UnknownNameError, "unknown model 'resnet19'"),
    (lambda: archscope.fit("resnet20", batch=0), UsageError, "batch cannot be 0"),
    (lambda: archscope.fit("resnet20", memory=-1), UsageError, "memory cannot be -1"),
    (lambda: archscope.benchmark("resnet20", threads=0), UsageError, "threads cannot be 0"),
    (lambda: archscope.benchmark("resnet20", seconds=0), UsageError, "seconds cannot be 0"),
    (lambda: archscope.budget("resnet20", max_params=-5), UsageError, "max_params cannot be -5"),
    (lambda: archscope.budget("resnet20", max_params=5e6), UsageError, "max_params cannot be 5000000.0"),
    (lambda: archscope.budget("vgg11", baseline="x.json", tolerance=float("nan")), UsageError, "tolerance cannot be"),
]


@pytest.mark.parametrize(("call", "kind", "message"), CALLS, ids=[message for _, _, message in CALLS])
def test_what_cannot_be_done_is_told(call: Callable[[], object], kind: type[ArchscopeError], message: str) -> None:
    with pytest.raises(kind) as caught:
        call()
    assert message in str(caught.value)
    assert caught.value.remedy
    assert all(line in str(caught.value) for line in caught.value.remedy.splitlines())


def test_a_failed_pass_keeps_no_budget(tmp_path: Any) -> None:
    """A pass that ended early has fewer MACs than the model: that must not pass for a small model."""
    with pytest.raises(archscope.ForwardError, match="ValueError") as caught:
        archscope.trace(Boom(), torch.zeros(1, 4))
    path = tmp_path / "failed.json"
    caught.value.summary.save(path)
    with pytest.raises(archscope.ForwardError):
        archscope.budget(str(path), max_macs=1000)
    with pytest.raises(DataError, match="baseline"):
        archscope.budget(Perceiver(), inputs="inputs=1x4", baseline=path)


def test_an_error_says_its_remedy() -> None:
    """What a traceback shows is what the command prints: the message, and what to do about it beneath."""
    with pytest.raises(UnknownNameError) as caught:
        archscope.trace("resnt18")
    first, *rest = str(caught.value).splitlines()
    assert first == caught.value.message == "unknown model 'resnt18'"
    assert rest == [f"  {line}" for line in caught.value.remedy.splitlines()]
    assert "did you mean resnet18" in rest[0]
    assert str(UsageError("no way out")) == "no way out"
    with pytest.raises(KeyError, match="unknown layer 'covn1'\n  did you mean conv1"):
        archscope.trace("resnet18", inputs="64")["covn1"]
    with pytest.raises(archscope.ForwardError) as failed:
        archscope.trace("alexnet", inputs="32")
    assert "smallest square that works" in str(failed.value)


def test_errors_cross_processes() -> None:
    with pytest.raises(UnknownNameError) as caught:
        archscope.trace("resnt18")
    copy = pickle.loads(pickle.dumps(caught.value))
    assert type(copy) is UnknownNameError
    assert (str(copy), copy.remedy, copy.suggestions) == (
        str(caught.value),
        caught.value.remedy,
        caught.value.suggestions,
    )


def test_look_ups() -> None:
    summary = archscope.trace("resnet18")
    assert [layer.path for layer in summary] == [layer.path for layer in summary.layers]
    assert "conv1#1" in summary
    assert "conv1#2" not in summary
    with pytest.raises(TypeError, match="by path"):
        summary[0]
    with pytest.raises(KeyError) as caught:
        summary["conv1#3"]
    assert "conv1 is called 1 time" in caught.value.remedy  # type: ignore[attr-defined]


def test_a_trace_saved_without_operations_says_so(tmp_path: Any) -> None:
    path, again = tmp_path / "small.json", tmp_path / "again.json"
    archscope.trace("alexnet").save(path, ops=False)
    loaded = archscope.load(path)
    with pytest.raises(DataError, match="without its operations"):
        loaded.to_dict(ops=True)
    loaded.save(again)
    assert again.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("report", [lambda: archscope.verify("googlenet"), lambda: archscope.table("vgg")])
def test_a_report_in_a_repl_is_its_head(report: Callable[[], object]) -> None:
    lines = repr(report()).splitlines()
    assert len(lines) <= 17
    assert "archscope." not in lines[0]
