"""What a model raises, prints, writes or changes in the process decides neither the exit code nor the answer."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from archscope.cli.app import main

MODEL = """
import atexit, os, sys, torch
from torch import nn

class Mute(Exception):
    def __str__(self): raise ValueError("no text")
    __repr__ = __str__
class MuteBase(BaseException):
    def __str__(self): raise GeneratorExit
class Break(KeyboardInterrupt): pass
class Custom(BaseException): pass
KINDS = dict(mute=Mute, mute_base=MuteBase, interrupt=Break, custom=Custom, exit=SystemExit, leave=GeneratorExit)

class Net(nn.Module):
    def __init__(self, kind="exit", where="forward", num_classes=10):
        super().__init__()
        self.layer = nn.Linear(3, num_classes)
        self.kind, self.where = kind, where
        self.fail("constructor")
        if where == "hook":
            self.layer.register_forward_pre_hook(lambda *_: self.fail("hook"))
    def fail(self, where):
        if self.where == where: raise KINDS[self.kind]()
    @property
    def prop(self): self.fail("property")
    def __repr__(self): self.fail("repr"); return "Net"
    def extra_repr(self): self.fail("repr"); return ""
    def __deepcopy__(self, memo): self.fail("copy"); return Net(self.kind, self.where)
    def forward(self, x):
        self.fail("forward"); self.prop
        return self.layer(x.mean((2, 3)))

class Noisy(Net):
    def __init__(self):
        super().__init__("mute")
        os.write(1, b"SPOILT\\n"); os.system("echo SPOILT"); print("SPOILT"); sys.__stdout__.write("SPOILT\\n")
        for call in ((print, "SPOILT"), (os.write, 1, b"SPOILT\\n"), (os.system, "echo SPOILT")):
            atexit.register(*call)
    def forward(self, x):
        os.write(1, b"SPOILT\\n"); os.system("echo SPOILT"); sys.__stdout__.write("SPOILT\\n")
        return super().forward(x)

class Mover(Net):
    def __init__(self, num_classes=10):
        super().__init__(num_classes=num_classes)
        os.chdir("elsewhere")
    def forward(self, x):
        os.chdir("/")
        return super().forward(x)

class Slow(Net):
    def forward(self, x):
        import time
        open("started", "w").close()
        time.sleep(60)
"""

COMMANDS = {
    "trace": [],
    "table": [],
    "explain": ["layer"],
    "budget": ["--max-params", "1M"],
    "fit": ["--batch", "1"],
    "bench": ["--device", "cpu", "--inference", "--seconds", "0.1"],
}
KINDS = ("mute", "mute_base", "interrupt", "custom", "exit", "leave")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "net.py").write_text(MODEL)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("where", ["forward", "hook", "property", "constructor"])
def test_what_a_model_raises_is_the_models_failure(kind: str, where: str, capsys: pytest.CaptureFixture[str]) -> None:
    for command, options in COMMANDS.items():
        words = [command, "net.py:Net", *options, "--input", "1x3x8x8", "--arg", f"kind={kind}"]
        code = main([*words, "--arg", f"where={where}"])
        told = capsys.readouterr().err
        # A constructor that raises an ordinary exception is a target that cannot be built.
        assert code == (2 if (where, kind) == ("constructor", "mute") else 3), (command, told)
        assert "bug in archscope" not in told
        if kind != "mute" and command != "bench":
            assert "net.py:" in told


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("where", ["repr", "copy"])
def test_what_nobody_needs_may_raise(kind: str, where: str, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("trace", "table", "budget", "fit"):
        words = [command, "net.py:Net", *COMMANDS[command], "--input", "1x3x8x8", "--arg", f"kind={kind}"]
        assert main([*words, "--arg", f"where={where}"]) == 0, capsys.readouterr().err


@pytest.mark.parametrize("kind", KINDS)
def test_training_ends_with_the_models_failure(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["train", "net.py:Net", "--data", "synthetic", "--no-check", "--run-dir", "run", "--epochs", "1"]
    assert main([*words, "--arg", f"kind={kind}"]) == 3
    assert "net.py:" in capsys.readouterr().err


def _run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "archscope", *words], capture_output=True, text=True, timeout=120, check=False
    )


def test_nothing_that_a_model_writes_reaches_stdout() -> None:
    found = _run("trace", "net.py:Noisy", "--input", "1x3x8x8", "--format", "json")
    # Its forward fails in the end: the answer about what ran before is as clean as a whole one.
    assert found.returncode == 3
    assert json.loads(found.stdout)["forward_complete"] is False
    assert found.stderr.count("SPOILT") >= 7


def test_a_model_that_changes_directory_moves_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "net.py").write_text(MODEL.replace('where="forward"', 'where=""'))
    assert main(["trace", "net.py:Mover", "--input", "1x3x8x8", "-o", "out.json"]) == 0, capsys.readouterr().err
    assert main(["budget", "net.py:Mover", "--input", "1x3x8x8", "--baseline", "out.json", "-o", "budget.json"]) == 0
    words = ["--data", "synthetic", "--subset", "64", "--test-subset", "32", "--no-check", "--input", "8"]
    assert main(["train", "net.py:Mover", *words, "--run-dir", "run", "--epochs", "1", "-o", "train.json"]) == 0
    assert {"out.json", "budget.json", "train.json", "run"} <= set(os.listdir(folder))
    assert os.listdir(folder / "elsewhere") == []
    assert Path.cwd() == folder


def test_ctrl_c_is_no_failure_of_the_model(folder: Path) -> None:
    # Whoever runs these tests in the background ignores Ctrl-C, and so would what they start.
    code = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from archscope.__main__ import main; sys.exit(main())"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, "trace", "net.py:Slow", "--input", "1x3x8x8"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    end = time.monotonic() + 60
    while not (folder / "started").exists() and time.monotonic() < end:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130, told
    assert "interrupted" in told
