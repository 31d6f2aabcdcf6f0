"""Sizes that can mean several things: the model decides, what ran is told, and values of any kind reach forward."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

import archscope
from archscope.cli.app import main
from archscope.core.errors import InputSpecError, UsageError
from archscope.tracing.modes import Request, trace_request
from archscope.tracing.observe import Observation


class Convolution1d(nn.Module):
    """Batches alone: BatchNorm refuses what has none."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(128, 32, 3)
        self.norm = nn.BatchNorm1d(32)

    def forward(self, x: Any) -> Any:
        return self.norm(self.conv(x))


class Rows(nn.Module):
    """An image as a sequence of its rows."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(28, 16, batch_first=True)
        self.head = nn.Linear(16, 10)

    def forward(self, x: Any) -> Any:
        return self.head(self.rnn(x)[0][:, -1])


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.TransformerEncoderLayer(64, 4, batch_first=True)

    def forward(self, x: Any) -> Any:
        return self.encoder(x)


class Grey(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 3)
        self.norm = nn.BatchNorm2d(8)
        self.head = nn.Linear(8 * 26 * 26, 10)

    def forward(self, x: Any) -> Any:
        return self.head(self.norm(self.conv(x)).flatten(1))


class Spectrogram(nn.Module):
    """Planes without a channel: forward adds it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 3)

    def forward(self, x: Any) -> Any:
        return self.conv(x.unsqueeze(1))


class Volume(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv3d(3, 4, 3)
        self.norm = nn.BatchNorm3d(4)

    def forward(self, x: Any) -> Any:
        return self.norm(self.conv(x))


class Words(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(5, 16)
        self.head = nn.Linear(16, 4)

    def forward(self, x: Any) -> Any:
        return self.head(self.table(x))


class Caption(nn.Module):
    """The embedding sits deeper, beside an image."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.text = Words()

    def forward(self, image: Any, caption: Any) -> Any:
        return self.conv(image).mean((2, 3)) + self.text(caption).mean(1)


class Functional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(5, 16))

    def forward(self, x: Any, q: Any) -> Any:
        return functional.embedding(q, self.weight) @ x


class Nested(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(8, 16)
        self.tokens = nn.Embedding(5, 16)
        self.places = nn.Embedding(9, 16)

    def forward(self, batch: Any) -> Any:
        return self.head(batch["f"]) + self.tokens(batch["t"]) + self.places(batch["p"])


class Masked(nn.Module):
    def forward(self, x: Any, mask: Any) -> Any:
        return x.masked_fill(mask, 0)


class Wrapped(nn.Module):
    """Takes any number of inputs, as wrappers do."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = Caption()

    def forward(self, *args: Any) -> Any:
        return self.inner(*args)


class Scores(nn.Module):
    """Integers by the failure of another operation than an embedding."""

    def forward(self, x: Any, y: Any) -> Any:
        return functional.cross_entropy(x, y)


F32, I64 = "float32", "int64"

READ = [
    (Encoder, ["8x128x64"], [("x", (8, 128, 64), F32)]),
    (Convolution1d, ["8x128x64"], [("x", (8, 128, 64), F32)]),
    (Convolution1d, ["128x64"], [("x", (1, 128, 64), F32)]),
    (Rows, ["1x28x28"], [("x", (1, 28, 28), F32)]),
    (Grey, ["1x28x28"], [("x", (1, 1, 28, 28), F32)]),
    (Grey, ["28x28"], [("x", (1, 1, 28, 28), F32)]),
    (Grey, ["28"], [("x", (1, 1, 28, 28), F32)]),
    (Grey, ["2,1,28,28"], [("x", (2, 1, 28, 28), F32)]),
    (Grey, ["(2, 1, 28, 28)"], [("x", (2, 1, 28, 28), F32)]),
    (Grey, ["[2, 1, 28, 28]"], [("x", (2, 1, 28, 28), F32)]),
    (Spectrogram, ["8x80x100"], [("x", (8, 80, 100), F32)]),
    (Volume, ["3x8x16x16"], [("x", (1, 3, 8, 16, 16), F32)]),
    (lambda: nn.Sequential(nn.Flatten(), nn.Linear(784, 10)), ["1x28x28"], [("input", (1, 1, 28, 28), F32)]),
    (lambda: nn.Linear(784, 10), ["784"], [("input", (1, 784), F32)]),
    (lambda: nn.Conv1d(2, 4, 9), ["16000"], [("input", (1, 2, 16000), F32)]),
    (Words, ["1x12"], [("x", (1, 12), I64)]),
    (Words, ["12"], [("x", (1, 12), I64)]),
    (Words, ["x=1x12"], [("x", (1, 12), I64)]),
    (Words, ["1x12:int"], [("x", (1, 12), "int32")]),
    (Caption, ["3x32x32", "1x12"], [("image", (1, 3, 32, 32), F32), ("caption", (1, 12), I64)]),
    (Caption, ["caption=1x12", "image=1x3x32x32"], [("caption", (1, 12), I64), ("image", (1, 3, 32, 32), F32)]),
    (Wrapped, ["3x32x32", "1x12"], [("args.0", (1, 3, 32, 32), F32), ("args.1", (1, 12), I64)]),
    (Functional, ["x=16x2", "q=3x4"], [("x", (16, 2), F32), ("q", (3, 4), I64)]),
    (
        Nested,
        ["{f: 2x4x8, t: 2x4, p: 2x4}"],
        [("batch.f", (2, 4, 8), F32), ("batch.t", (2, 4), I64), ("batch.p", (2, 4), I64)],
    ),
    (Masked, ["2x8", "mask=2x8"], [("x", (2, 8), F32), ("mask", (2, 8), "bool")]),
    (Scores, ["2x5", "2"], [("x", (2, 5), F32), ("y", (2,), I64)]),
    (Scores, ["2x5", "y=2"], [("x", (2, 5), F32), ("y", (2,), I64)]),
    (lambda: nn.Linear(4, 4).double(), ["1x4"], [("input", (1, 4), "float64")]),
]


@pytest.mark.parametrize(("build", "words", "inputs"), READ, ids=[f"{w[0]} {i}" for i, (_, w, _) in enumerate(READ)])
def test_the_model_decides(build: Any, words: list[str], inputs: list[Any]) -> None:
    summary = archscope.trace(build(), inputs=words)
    assert [(ref.spec.key, ref.shape, ref.spec.dtype) for ref in summary.trace.inputs] == inputs


@pytest.mark.parametrize("mode", ["meta", "fake", "real"])
def test_every_mode_reads_them_alike(mode: Any) -> None:
    """For real, integers are values that every embedding has."""
    summary = archscope.trace(Caption(), inputs=["3x32x32", "1x12"], mode=mode)
    assert [ref.shape for ref in summary.trace.inputs] == [(1, 3, 32, 32), (1, 12)]
    assert archscope.trace(Convolution1d(), inputs="128x64", mode=mode).trace.inputs[0].shape == (1, 128, 64)


def test_what_ran_is_told() -> None:
    def notes(module: nn.Module, words: str) -> tuple[str, ...]:
        return archscope.trace(module, inputs=words).trace.notes

    assert notes(Encoder(), "8x128x64") == ("input 8x128x64 is read as exactly that, no batch added",)
    assert notes(Encoder(), "x=8x128x64") == notes(Encoder(), "8x128x64:float32") == ()
    assert notes(nn.Conv2d(3, 8, 3), "3x32x32") == notes(nn.Conv2d(3, 8, 3), "32") == ()
    assert notes(nn.Conv2d(1, 8, 3), "64x48") == ("input 64x48 is read as 1x1x64x48",)
    read, failed = notes(Convolution1d(), "128x64")
    assert read == "input 128x64 is read as 1x128x64"
    assert failed.startswith("read as 128x64, norm (BatchNorm1d) failed: ")


def test_one_run_where_the_first_reading_works(monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[Request] = []

    def count(request: Request) -> Observation:
        runs.append(request)
        return trace_request(request)

    monkeypatch.setattr("archscope.observation.trace_request", count)
    for build, words in ((Encoder, "8x128x64"), (Grey, "1x28x28"), (Grey, "28x28"), (Words, "1x12"), (Rows, "8x28x28")):
        archscope.trace(build(), inputs=words)
    assert len(runs) == 5
    archscope.trace(Convolution1d(), inputs="128x64")
    assert len(runs) == 7


def test_both_readings_fail() -> None:
    class Misfit(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv1d(100, 32, 3)

        def forward(self, x: Any) -> Any:
            return self.conv(x)

    with pytest.raises(archscope.ForwardError) as caught:
        archscope.trace(Misfit(), inputs="8x128x64")
    assert "conv (Conv1d) failed on 8x128x64" in caught.value.message
    other, exact = caught.value.remedy.splitlines()
    assert other.startswith("read as 1x8x128x64, conv (Conv1d) failed: ")
    assert exact == "--input x=8x128x64 gives exactly these sizes"


def test_a_convolution_that_got_its_batch_is_not_asked_again() -> None:
    """The failure deeper is the model's: another reading would only hide it."""
    with pytest.raises(archscope.ForwardError) as caught:
        archscope.trace(Grey(), inputs="1x30x30")
    assert "head (Linear) failed on 1x6272" in caught.value.message
    assert "read as" not in caught.value.remedy


class Anything(nn.Module):
    """Checks what it gets: every kind of value."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(4, 4)

    def forward(
        self, x: Any, steps: Any, scale: Any, flag: Any, mode: Any, nothing: Any, pair: Any, many: Any, batch: Any
    ) -> Any:
        assert (type(steps), type(scale), flag, mode, nothing) == (int, float, True, "sum", None)
        assert (type(pair), type(many)) == (tuple, list)
        assert batch["deep"] == {"sizes": [7, 9], "off": False}
        for _ in range(steps):
            x = self.head(x)
        return x * scale + self.head(pair[0]) * pair[1] + sum(map(self.head, many)) + self.head(batch["a"])


WORDS = ["1x4", "steps=3", "scale=0.5", "flag=true", "mode=sum", "nothing=None", "pair=(1x4, 2)", "many=[1x4, 1x4]"]
BATCH = "batch={a: 1x4, 'deep': {sizes: [7, 9], off: False}}"


def test_values_of_every_kind() -> None:
    summary = archscope.trace(Anything(), inputs=[*WORDS, BATCH])
    assert [ref.spec.key for ref in summary.trace.inputs] == ["x", "pair.0", "many.0", "many.1", "batch.a"]
    # Three steps, one of the pair, two of the list, one of the dict.
    assert summary.macs == 7 * 4 * 4


def test_values_by_position() -> None:
    words = ["1x4", "3", "0.5", "True", "'sum'", "none", "(1x4, 2)", "[1x4, 1x4]", BATCH.partition("=")[2]]
    assert archscope.trace(Anything(), inputs=words).macs == 7 * 4 * 4


class Annotated(nn.Module):
    def forward(self, x: Any, size: tuple[int, int] = (8, 8), factor: float = 1.0, times: int = 1) -> Any:
        assert (type(factor), type(times)) == (float, int)
        return functional.interpolate(x, size) * factor * times


@pytest.mark.parametrize(
    ("words", "out"),
    [
        (["8", "size=(4, 4)"], (1, 3, 4, 4)),
        (["8", "(4, 4)", "2", "3"], (1, 3, 4, 4)),
        (["8", "size=(2,3)"], (1, 3, 2, 3)),
    ],
)
def test_the_signature_says_what_is_a_number(words: list[str], out: tuple[int, ...]) -> None:
    assert archscope.trace(Annotated(), inputs=words).trace.outputs[0].shape == out


def test_a_tuple_is_tried_after_a_shape() -> None:
    class Resize(nn.Module):
        def forward(self, x: Any, size: Any) -> Any:
            return functional.interpolate(x, size)

    assert archscope.trace(Resize(), inputs=["8", "size=(4, 5)"]).trace.outputs[0].shape == (1, 3, 4, 5)
    assert archscope.trace(Resize(), inputs=["8", "size=4"]).trace.outputs[0].shape == (1, 3, 4, 4)


def test_hidden_states_lengths_and_empty_tensors() -> None:
    class Packed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.LSTM(8, 16, batch_first=True)

        def forward(self, x: Any, lengths: Any) -> Any:
            packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
            return nn.utils.rnn.pad_packed_sequence(self.rnn(packed)[0], batch_first=True)[0]

    class State(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.LSTM(8, 16)

        def forward(self, x: Any, state: Any) -> Any:
            return self.rnn(x, state)[0]

    class Joined(nn.Module):
        def forward(self, x: Any, more: Any) -> Any:
            return torch.cat([x, more], 1)

    packed = archscope.trace(Packed(), inputs=["2x5x8", "lengths=tensor([3, 4])"])
    assert packed.trace.outputs[0].shape == (2, 4, 16)
    assert archscope.trace(Packed(), inputs=["2x5x8", "lengths=2:long"]).trace.outputs[0].shape == (2, 1, 16)
    states = archscope.trace(State(), inputs=["5x2x8", "state=(1x2x16, 1x2x16)"])
    assert states.trace.outputs[0].shape == (5, 2, 16)
    assert archscope.trace(Joined(), inputs=["1x4", "more=1x0"]).trace.outputs[0].shape == (1, 4)


def test_two_of_one_name_are_no_list() -> None:
    class Sum(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(4, 4)

        def forward(self, xs: Any) -> Any:
            return sum(map(self.head, xs))

    with pytest.raises(InputSpecError, match="given twice") as caught:
        archscope.trace(Sum(), inputs=["xs=1x4", "xs=1x4"])
    assert "xs=[" in caught.value.remedy
    assert archscope.trace(Sum(), inputs="xs=[1x4, 1x4]").macs == 2 * 4 * 4
    assert archscope.trace(Sum(), inputs="[(1, 4), (2, 4)]").macs == 3 * 4 * 4


@pytest.mark.parametrize(
    ("words", "told", "remedy"),
    [
        (["y=3x8x8"], "takes no argument 'y'", "forward takes image and caption"),
        (["imaeg=3x8x8"], "takes no argument 'imaeg'", "did you mean image?"),
        (["3x8x8", "1x4", "1x4"], "3 inputs are given without a name, and", "forward takes image and caption"),
        (["3x8x8"], "also needs caption", "caption="),
        (["3x8x8", "image=3x8x8"], "image is given twice", "forward takes"),
    ],
)
def test_what_forward_does_not_take(words: list[str], told: str, remedy: str) -> None:
    with pytest.raises(UsageError) as caught:
        archscope.trace(Caption(), inputs=words)
    assert told in caught.value.message
    assert remedy in caught.value.remedy


def test_a_named_input_of_a_known_model_takes_the_place_of_its_own() -> None:
    assert archscope.trace("vgg11", inputs="x=1x3x64x64").trace.inputs[0].shape == (1, 3, 64, 64)
    assert archscope.trace("vgg11", inputs="64x32").trace.inputs[0].shape == (1, 3, 64, 32)


def test_the_smallest_square_keeps_the_other_inputs() -> None:
    class Repeated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 5)

        def forward(self, x: Any, times: Any) -> Any:
            for _ in range(times):
                x = self.conv(x)
            return x

    with pytest.raises(archscope.ForwardError) as caught:
        archscope.trace(Repeated(), inputs=["2x3x6x6", "times=2"])
    assert "the smallest square that works is 9x9" in caught.value.remedy


FILE = """
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(8, 4)
        self.table = nn.Embedding(9, 8)
    def forward(self, x):
        return self.head(self.table(x))
"""


@pytest.mark.parametrize(
    "words",
    [
        ["fit", "--batch", "4"],
        ["table"],
        ["explain", "head"],
        ["budget", "--max-params", "1M"],
        ["verify", "--counters"],
    ],
)
def test_every_command_reads_them_alike(words: list[str], tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "net.py"
    path.write_text(FILE)
    command, *rest = words
    places = [f"{path}:Net", *rest] if command != "verify" else [*rest, f"{path}:Net"]
    assert main([command, *places, "--input", "1x12"]) == 0, capsys.readouterr().err


def test_the_exact_form_is_in_the_help_and_in_errors(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "net.py"
    path.write_text(FILE)
    assert main(["trace", "--help"]) == 0
    assert "8x128x64:float32" in capsys.readouterr().out
    for words in (["trace", f"{path}:Net"], ["trace", f"{path}:Net", "--input", "3x"]):
        assert main(words) == 2
        assert "x=8x128x64" in capsys.readouterr().err


def test_an_image_of_other_channels_is_told_how_it_was_read(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "vgg11", "--input", "8x128x64"]) == 3
    told = capsys.readouterr().err
    assert "8x128x64 is read as one image, 1x8x128x64, and the first convolution takes 3 channels" in told
    assert "--input x=8x128x64 gives exactly these sizes" in told
    assert main(["trace", "vgg11", "--input", "3x2x2"]) == 3
    assert "is read as" not in capsys.readouterr().err


def test_a_key_that_is_missing_is_told_as_such(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "net.py"
    path.write_text(
        "import torch\nclass Net(torch.nn.Module):\n    def forward(self, batch):\n        return batch['ids'] + 1\n"
    )
    assert main(["trace", f"{path}:Net", "--input", "batch={idz: 1x9}"]) == 3
    assert "error: Net failed on 1x9: KeyError: 'ids'" in capsys.readouterr().err
