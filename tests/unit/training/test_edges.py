"""What happens rarely: overflow while overfitting, too little memory, files that cannot be kept."""

import os
import random
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from archscope.core.errors import DataError, ModelError, OutputError, TargetError
from archscope.training import classifier
from archscope.training.checks.agreement import differs, find_first_difference
from archscope.training.checks.candidate import Candidate
from archscope.training.checks.learning import check_overfitting, make_trial_optimizer
from archscope.training.checks.start import observe_scales
from archscope.training.evaluation import run_model
from archscope.training.run_folder import RunFolder, read_checkpoint
from archscope.training.trainer import seed_generators

Batch = tuple[Tensor, Tensor]


class TestOverfitting:
    def test_a_first_try_that_overflows_is_repeated_slower(
        self, make_net: Callable[..., nn.Sequential], batch: Batch, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from archscope.training.checks import learning

        real, slowed = make_trial_optimizer, []

        def make(subject: Candidate, factor: float) -> Any:
            slowed.append(factor)
            return real(subject, 1e30 if factor == 1.0 else factor * 10)

        monkeypatch.setattr(learning, "make_trial_optimizer", make)
        torch.manual_seed(0)
        assert check_overfitting(Candidate(make_net(norm=False), *batch)) == ([], True)
        assert slowed == [1.0, 0.1]

    def test_nothing_that_the_optimizer_holds(self, make_net: Callable[..., nn.Sequential], batch: Batch) -> None:
        (finding,), reached = check_overfitting(Candidate(make_net(), *batch, optimised=frozenset()))
        assert not reached
        assert finding.message == "no parameter can be trained"


class TestLayers:
    def test_what_has_no_scale(self) -> None:
        class Odd(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.embed = nn.Embedding(4, 6)
                self.grow = nn.ConvTranspose1d(2, 3, 2)
                self.inner = nn.Linear(1, 1)

            def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
                embedded = self.embed(x)
                return self.grow(embedded[:, :2]), torch.relu(embedded)

        seen, _ = observe_scales(net := Odd(), lambda: net(torch.zeros(2, 3, dtype=torch.int64)))
        embed, grow = seen.layers
        assert (embed.input_rms, embed.input_signal, embed.weighted) == (0.0, 0.0, False)
        assert grow.weighted
        assert grow.gain is None
        # (N, T, C): the last axis holds the units.
        assert seen.rectifiers[0].share == float((net.embed.weight[0] < 0).float().mean())

    def test_an_input_by_keyword_and_layers_that_forward_makes(self) -> None:
        class Keyword(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.fc = nn.Linear(4, 2)

            def forward(self, x: Tensor) -> Tensor:
                return nn.ReLU()(self.fc(input=x))

        seen, _ = observe_scales(net := Keyword(), lambda: net(torch.full((3, 4), 2.0)))
        assert [(layer.path, layer.input_rms) for layer in seen.layers] == [("fc", 2.0)]
        # The ReLU is not registered: it belongs to the root, whose call runs around it.
        assert [unit.path for unit in seen.rectifiers] == [""]

    def test_zero_weights_have_no_gain(self) -> None:
        net = nn.Linear(2, 2)
        nn.init.zeros_(net.weight)
        seen, _ = observe_scales(net, lambda: net(torch.ones(2, 2)))
        assert seen.layers[0].gain is None


class TestComparison:
    def test_passes_that_call_different_layers(self) -> None:
        net = nn.ModuleDict({"a": nn.Identity(), "b": nn.Identity()})
        ones = torch.ones(2, 2)
        rows = slice(None)
        assert find_first_difference(net, lambda: net["a"](ones), lambda: net["b"](ones), rows=rows) == "a"
        assert find_first_difference(net, lambda: net["a"](ones), lambda: net["a"](ones), rows=rows) == ""

    def test_values_that_are_no_numbers_differ(self) -> None:
        assert differs(torch.tensor([float("nan")]), torch.ones(1), 0.1)
        assert not differs(torch.ones(0), torch.ones(0), 0.1)


class TestModelErrors:
    def test_memory_that_is_too_small(self) -> None:
        def run() -> None:
            raise torch.OutOfMemoryError("CUDA out of memory")

        with pytest.raises(ModelError, match="memory is too small") as caught:
            run_model(run)
        assert "--batch-size" in caught.value.remedy

    def test_a_constructor_that_takes_classes_and_cannot_use_them(self, tmp_path: Path) -> None:
        path = tmp_path / "strict.py"
        path.write_text("def net(num_classes):\n    raise ValueError('num_classes must be odd')\n")
        with pytest.raises(TargetError):
            classifier.build_classifier(f"{path}:net", {}, classifier.Wanted(10, (3, 8, 8)), seed=0)

    def test_a_factory_that_sets_the_classes_itself(self, tmp_path: Path) -> None:
        path = tmp_path / "fixed.py"
        path.write_text(
            "from torch import nn\n"
            "def base(num_classes, width=4):\n    return nn.Sequential(nn.Flatten(), nn.LazyLinear(num_classes))\n"
            "def net(**given):\n    return base(num_classes=12, **given)\n"
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # lazy modules are new
            made = classifier.build_classifier(f"{path}:net", {}, classifier.Wanted(10, (3, 8, 8)), seed=0)
        assert made.notes[-1].endswith("gives 12 scores for 10 classes: its constructor takes no num_classes")

    def test_a_constructor_that_fails(self, tmp_path: Path) -> None:
        path = tmp_path / "fails.py"
        path.write_text("def net(num_classes=10):\n    raise ValueError('no')\n")
        with pytest.raises(TargetError, match="ValueError: no"):
            classifier.build_classifier(f"{path}:net", {}, classifier.Wanted(10, (3, 8, 8)), seed=0)

    def test_an_advice_that_cannot_be_found(self, net_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*words: Any) -> None:
            raise DataError("no")

        monkeypatch.setattr(classifier, "observe_target", refuse)
        with pytest.raises(ModelError) as caught:
            classifier.build_classifier(f"{net_file}:Large", {}, classifier.Wanted(3, (3, 8, 8)), seed=0)
        assert caught.value.remedy == "--input N resizes the images to NxN"


class TestFiles:
    def test_a_checkpoint_that_cannot_be_kept(self, tmp_path: Path) -> None:
        with pytest.raises(OutputError, match=r"cannot write .*epoch001-0.5000.pt"):
            RunFolder(tmp_path).keep_last(1, 0.5)

    def test_a_configuration_that_is_no_object(self, tmp_path: Path) -> None:
        (tmp_path / "config.json").write_text("[1]")
        with pytest.raises(DataError, match="is not the configuration of a run"):
            RunFolder(tmp_path).read_config()

    def test_a_checkpoint_that_cannot_be_read(self, tmp_path: Path) -> None:
        assert read_checkpoint(tmp_path / "nothing") is None
        with pytest.raises(DataError, match="cannot read"):
            read_checkpoint(tmp_path)

    def test_a_folder_that_cannot_be_written_in(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "access", lambda path, mode: False)
        with pytest.raises(OutputError, match="permission denied"):
            RunFolder(tmp_path).prepare()
        monkeypatch.undo()
        (tmp_path / "file").touch()
        with pytest.raises(OutputError, match="cannot make") as caught:
            RunFolder(tmp_path / "file").prepare()
        assert "--run-dir" in caught.value.remedy

    def test_what_a_killed_run_left_is_removed(self, tmp_path: Path) -> None:
        (tmp_path / ".last.pt.x1.part").touch()
        (tmp_path / ".mine").touch()
        RunFolder(tmp_path).prepare()
        assert [path.name for path in tmp_path.iterdir()] == [".mine"]


def test_every_generator_starts_from_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    state = random.getstate()
    drawn = []
    for _ in range(2):
        seed_generators(2**63 - 1)
        drawn.append((float(torch.rand(1)), random.random()))
    assert drawn[0] == drawn[1]
    monkeypatch.setitem(sys.modules, "numpy", None)
    seed_generators(1)
    random.setstate(state)
