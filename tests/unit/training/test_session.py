"""Whole runs on small images: what they write, how they go on, and how they end."""

import errno
import json
import os
import shlex
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import torch

from archscope.core.documents.findings import EpochMetrics
from archscope.core.errors import CheckError, DataError, ModelError, OutputError, TargetError, UsageError
from archscope.core.finding import Finding
from archscope.rendering import render
from archscope.training.curves import can_draw
from archscope.training.data.images import Data, DataSubset, ImageSet
from archscope.training.options import MachineOptions, RunOptions, TrainOptions
from archscope.training.report import build_result_table
from archscope.training.reporter import EpochTimes, SilentReporter, StepReport
from archscope.training.session import TrainResult, train_target


class Listener(SilentReporter):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.findings: list[Finding] = []
        self.steps: list[StepReport] = []
        self.epochs: list[EpochMetrics] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def finding(self, finding: Finding) -> None:
        self.findings.append(finding)

    def step(self, report: StepReport) -> None:
        self.steps.append(report)

    def epoch(self, metrics: EpochMetrics, epochs: int, times: EpochTimes) -> None:
        self.epochs.append(metrics)


class Killed(BaseException):
    """What nothing catches."""


@pytest.fixture
def options(tmp_path: Path) -> TrainOptions:
    """Two epochs of eight steps, without the checks."""
    run = RunOptions(folder=tmp_path / "run", checks=False)
    return TrainOptions(recipe="lecture-resnet", batch_size=8, learning_rate=0.02, seed=1, epochs=2, run=run)


@pytest.fixture
def train(net_file: Path, loaded: Data, options: TrainOptions) -> Callable[..., TrainResult]:
    """Trains `Net` of the file, or another one, with what is changed of the options."""

    def run(name: str = "Net", reporter: Any = None, **changed: Any) -> TrainResult:
        return train_target(f"{net_file}:{name}", replace(options, **changed), reporter)

    return run


Train = Callable[..., TrainResult]


def resume(options: TrainOptions, **changed: Any) -> RunOptions:
    return replace(options.run, resume=True, **changed)


def hash_weights(folder: Path) -> str:
    state = torch.load(folder / "last.pt", weights_only=True)
    digest = sha256()
    for name, tensor in state["model"].items():
        digest.update(name.encode() + str(tensor.tolist()).encode())
    return digest.hexdigest()


def read_lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


class TestRunFolder:
    def test_what_is_kept(self, train: Train, tmp_path: Path) -> None:
        result = train()
        folder = tmp_path / "run"
        names = {path.name for path in folder.iterdir()}
        assert names - {"curves.svg"} == {"config.json", "environment.json", "metrics.jsonl", "last.pt", "previous.pt"}
        assert ("curves.svg" in names) == can_draw()
        lines = read_lines(folder)
        assert [line["epoch"] for line in lines] == [1, 2]
        assert {"train_loss", "test_loss", "test_accuracy", "class_accuracy"} <= lines[0].keys()
        assert 0 <= lines[1]["test_accuracy"] <= 1
        assert list(lines[0]["class_accuracy"]) == ["red", "green", "blue"]
        assert result.metrics[-1].test_accuracy == lines[-1]["test_accuracy"]
        state = torch.load(folder / "last.pt", weights_only=True)
        assert state["epoch"] == 2
        assert state["model"]["classifier.2.weight"].shape == (3, 512)
        assert json.loads((folder / "environment.json").read_text())["torch"] == torch.__version__
        assert json.loads((folder / "config.json").read_text())["seed"] == 1
        assert result.folder == folder
        assert not result.failed

    def test_without_matplotlib_one_note_says_so(
        self, train: Train, options: TrainOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("archscope.training.curves.find_spec", lambda name: None)
        listener = Listener()
        result = train(reporter=listener)
        told = [note for note in listener.notes if "curves.svg" in note]
        assert told == ["curves.svg needs matplotlib: pip install 'torch-archscope[plot]'"]
        assert not (tmp_path / "run" / "curves.svg").exists()
        assert [line["epoch"] for line in read_lines(tmp_path / "run")] == [1, 2]
        assert "curves.svg" not in render(build_result_table(result))

    @pytest.mark.slow
    def test_with_matplotlib_the_curves_are_kept(self, train: Train, tmp_path: Path) -> None:
        pytest.importorskip("matplotlib", reason="the curves need the extra plot")
        listener = Listener()
        result = train(reporter=listener)
        assert (tmp_path / "run" / "curves.svg").read_text().startswith("<?xml")
        assert not [note for note in listener.notes if "curves.svg" in note]
        assert "environment.json, curves.svg" in render(build_result_table(result))

    def test_it_learns(self, train: Train) -> None:
        result = train(epochs=6)
        assert result.metrics[-1].test_accuracy > 0.9
        assert result.metrics[-1].train_loss < result.metrics[0].train_loss

    def test_every_checkpoint(self, train: Train, options: TrainOptions, tmp_path: Path) -> None:
        result = train(run=replace(options.run, keep="all"))
        kept = sorted(path.name for path in (tmp_path / "run").glob("epoch*.pt"))
        assert kept == [f"epoch{n:03d}-{entry.test_accuracy:.4f}.pt" for n, entry in enumerate(result.metrics, start=1)]
        first, second = (torch.load(tmp_path / "run" / name, weights_only=True)["epoch"] for name in kept)
        assert (first, second) == (1, 2)

    def test_without_links(
        self, train: Train, options: TrainOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(source: Path, target: Path) -> None:
            raise OSError(errno.EPERM, "no links here")

        monkeypatch.setattr(os, "link", refuse)
        train(run=replace(options.run, keep="all"))
        assert len(list((tmp_path / "run").glob("epoch*.pt"))) == 2

    def test_a_folder_of_its_own(
        self, train: Train, options: TrainOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        folders = [train(epochs=1, run=replace(options.run, folder=None)).folder for _ in range(2)]
        assert folders == [Path("runs/Net-lecture-resnet-1"), Path("runs/Net-lecture-resnet-2")]

    def test_a_folder_that_holds_a_run(self, train: Train) -> None:
        train(epochs=1)
        with pytest.raises(UsageError, match="holds a run already") as caught:
            train(epochs=1)
        assert "--resume" in caught.value.remedy

    def test_the_loss_every_30_iterations(self, train: Train) -> None:
        listener = Listener()
        train(reporter=listener, batch_size=2, epochs=1)
        assert listener.steps == [StepReport(1, 30, 30, listener.steps[0].loss)]
        assert listener.steps[0].loss == pytest.approx(listener.epochs[0].train_loss)

    def test_random_states_are_put_back(self, train: Train) -> None:
        torch.manual_seed(5)
        before = torch.get_rng_state()
        train(epochs=1, machine=MachineOptions(threads=2))
        assert torch.equal(torch.get_rng_state(), before)
        assert torch.get_num_threads() == 1


class TestResume:
    def test_going_on_gives_what_one_run_gives(self, train: Train, options: TrainOptions, tmp_path: Path) -> None:
        whole = replace(options.run, folder=tmp_path / "whole")
        train(epochs=4, run=whole)
        train(epochs=2)
        listener = Listener()
        train(reporter=listener, epochs=4, run=resume(options))
        assert [entry.epoch for entry in listener.epochs] == [3, 4]
        assert "resuming after epoch 2 of 4" in listener.notes[-1]
        assert hash_weights(tmp_path / "run") == hash_weights(tmp_path / "whole")
        for name in ("metrics.jsonl", "curves.svg") if can_draw() else ("metrics.jsonl",):
            assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()

    @pytest.mark.parametrize("recipe", ["fast", "lecture-resnet"])
    def test_killed_at_any_write(
        self, recipe: str, train: Train, options: TrainOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        whole = replace(options.run, folder=tmp_path / "whole")
        train(recipe=recipe, run=whole)
        real = {"fsync": os.fsync, "replace": os.replace}
        moment = 0
        while True:
            left = [moment]
            folder = tmp_path / f"run{moment}"

            def die(name: str, left: list[int] = left) -> Callable[..., Any]:
                def call(*args: Any) -> Any:
                    if left[0] == 0:
                        raise Killed
                    left[0] -= 1
                    return real[name](*args)

                return call

            run = replace(options.run, folder=folder)
            with monkeypatch.context() as patch:
                for name in real:
                    patch.setattr(os, name, die(name))
                try:
                    train(recipe=recipe, run=run)
                    break
                except Killed:
                    pass
            train(recipe=recipe, run=replace(run, resume=True))
            assert hash_weights(folder) == hash_weights(tmp_path / "whole")
            assert (folder / "metrics.jsonl").read_bytes() == (tmp_path / "whole" / "metrics.jsonl").read_bytes()
            moment += 5
        assert moment > 20

    def test_torn_files_of_a_killed_write_are_overwritten(
        self, train: Train, options: TrainOptions, tmp_path: Path
    ) -> None:
        train(epochs=1)
        for name in (".last.pt.part", ".metrics.jsonl.part"):
            (tmp_path / "run" / name).write_bytes(b"half")
        (tmp_path / "run" / "metrics.jsonl").write_text('{"epoch": 1}\n{"epoch": 2}\n{"ep')
        train(epochs=2, run=resume(options))
        assert [line["epoch"] for line in read_lines(tmp_path / "run")] == [1, 2]
        assert not list((tmp_path / "run").glob(".*"))

    def test_words_left_out_are_as_they_were(self, train: Train, options: TrainOptions, tmp_path: Path) -> None:
        train()
        again = TrainOptions(run=resume(options))
        listener = Listener()
        result = train_target(f"{tmp_path / 'net.py'}:Net", again, listener)
        assert (result.recipe.name, result.seed, len(result.metrics)) == ("lecture-resnet", 1, 2)
        assert listener.epochs == []

    @pytest.mark.parametrize(
        ("changed", "message"),
        [
            ({"seed": 2}, "--seed was 1, now 2"),
            ({"recipe": "fast"}, "--recipe was lecture-resnet, now fast"),
            ({"batch_size": 16}, "--batch-size was 8, now 16"),
            ({"epochs": 1}, "--epochs was 2, now 1"),
            ({"arguments": {"width": 16}}, r"--arg was \{\}"),
            ({"selection": DataSubset(subset=30)}, "--classes, --subset and --shuffle-labels was"),
            ({"machine": MachineOptions(threads=2)}, "--threads was 1, now 2"),
        ],
    )
    def test_other_words_are_another_run(
        self, changed: dict[str, Any], message: str, train: Train, options: TrainOptions
    ) -> None:
        train()
        with pytest.raises(UsageError, match=message):
            train(run=resume(options), **changed)

    def test_one_cycle_cannot_be_lengthened(self, train: Train, options: TrainOptions) -> None:
        train(recipe="fast")
        with pytest.raises(UsageError, match="--epochs was 2, now 3"):
            train(recipe="fast", epochs=3, run=resume(options))

    def test_other_images(
        self, train: Train, options: TrainOptions, data: Data, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        train()
        other = replace(data, train=data.test)
        monkeypatch.setattr("archscope.training.session.load_data", lambda where, reporter: other)
        with pytest.raises(DataError, match="not those that the run began with"):
            train(run=resume(options))

    def test_nothing_to_go_on_with(self, train: Train, options: TrainOptions) -> None:
        listener = Listener()
        result = train(reporter=listener, epochs=1, run=resume(options))
        assert len(result.metrics) == 1
        assert any("starting from the beginning" in note for note in listener.notes)
        with pytest.raises(UsageError, match="--resume needs --run-dir"):
            train(run=resume(options, folder=None))

    @pytest.mark.parametrize("blob", [b"no checkpoint", b""])
    def test_a_damaged_checkpoint(self, blob: bytes, train: Train, options: TrainOptions, tmp_path: Path) -> None:
        train(epochs=1)
        (tmp_path / "run" / "last.pt").write_bytes(blob)
        with pytest.raises(DataError, match=r"last.pt is damaged"):
            train(epochs=2, run=resume(options))

    def test_a_cut_checkpoint(self, train: Train, options: TrainOptions, tmp_path: Path) -> None:
        train(epochs=1)
        path = tmp_path / "run" / "last.pt"
        path.write_bytes(path.read_bytes()[:-500])
        with pytest.raises(DataError, match=r"last.pt is damaged"):
            train(epochs=2, run=resume(options))

    def test_a_checkpoint_with_code_in_it_is_not_run(self, train: Train, options: TrainOptions, tmp_path: Path) -> None:
        class Evil:
            def __reduce__(self) -> tuple[Any, ...]:
                return os.mkdir, (str(tmp_path / "evil"),)

        train(epochs=1)
        torch.save({"model": Evil()}, tmp_path / "run" / "last.pt")
        with pytest.raises(DataError, match="is damaged"):
            train(epochs=2, run=resume(options))
        assert not (tmp_path / "evil").exists()

    def test_somebody_else_s_checkpoint(self, train: Train, options: TrainOptions, tmp_path: Path) -> None:
        train(epochs=1)
        torch.save({"model": {}}, tmp_path / "run" / "last.pt")
        with pytest.raises(DataError, match="not a checkpoint of archscope"):
            train(epochs=2, run=resume(options))

    @pytest.mark.parametrize("text", ["{", "[]", '{"seed": 1}'])
    def test_a_damaged_configuration(self, text: str, train: Train, options: TrainOptions, tmp_path: Path) -> None:
        train(epochs=1)
        (tmp_path / "run" / "config.json").write_text(text)
        with pytest.raises(DataError, match="config"):
            train(epochs=2, run=resume(options))


class TestEnds:
    def test_a_full_disk_loses_nothing(
        self, train: Train, options: TrainOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        train(epochs=1)
        before = hash_weights(tmp_path / "run")

        def refuse(descriptor: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr("archscope.training.run_folder.RunFolder.write_json", lambda *args: None)
            patch.setattr("archscope.training.run._write_records", lambda *args: None)
            patch.setattr(os, "fsync", refuse)
            with pytest.raises(OutputError, match=r"last.pt: No space left on device") as caught:
                train(epochs=2, run=resume(options))
        assert "--resume" in caught.value.remedy
        assert hash_weights(tmp_path / "run") == before
        assert not list((tmp_path / "run").glob(".*"))
        assert len(train(epochs=2, run=resume(options)).metrics) == 2

    def test_a_folder_that_cannot_be_made(self, train: Train, options: TrainOptions, tmp_path: Path) -> None:
        (tmp_path / "taken").write_text("")
        with pytest.raises(OutputError, match="cannot make"):
            train(run=replace(options.run, folder=tmp_path / "taken" / "run"))

    def test_a_loss_that_is_no_number(self, train: Train, tmp_path: Path) -> None:
        with pytest.raises(CheckError, match=r"the loss is NaN in epoch 1, at iteration 2 of 8") as caught:
            train("Explodes")
        assert caught.value.exit_code == 1
        assert "--lr 0.002" in caught.value.remedy
        assert not (tmp_path / "run" / "last.pt").exists()

    def test_a_held_out_loss_that_is_no_number(self, train: Train, tmp_path: Path) -> None:
        with pytest.raises(CheckError, match="the held-out loss is nan after epoch 1"):
            train("Unsteady")
        assert not (tmp_path / "run" / "last.pt").exists()

    def test_an_interruption_says_what_is_kept(self, train: Train, options: TrainOptions, net_file: Path) -> None:
        class Impatient(Listener):
            def epoch(self, metrics: EpochMetrics, epochs: int, times: EpochTimes) -> None:
                raise KeyboardInterrupt

        listener = Impatient()
        with pytest.raises(KeyboardInterrupt):
            train(reporter=listener)
        assert "epoch 1 of 2 is saved" in listener.notes[-1]
        again = shlex.split(listener.notes[-1].partition("go on with --resume: ")[2])
        assert again[:3] == ["archscope", "train", str(net_file) + ":Net"]
        assert again[3:] == ["--run-dir", str(options.run.folder), "--resume"]
        assert len(train(run=resume(options)).metrics) == 2

    def test_a_model_that_raises(self, train: Train) -> None:
        with pytest.raises(ModelError, match=r"RuntimeError: not today \(at .*net.py:\d+\)") as caught:
            train("Raises")
        assert caught.value.exit_code == 3

    def test_an_input_that_is_too_small(self, train: Train) -> None:
        with pytest.raises(ModelError) as caught:
            train("Large")
        assert "16x16" in caught.value.remedy
        assert "--input N" in caught.value.remedy
        result = train("Large", side=16)
        assert any("resized from 8x8 to 16x16" in note for note in result.notes)

    def test_too_few_scores(self, train: Train) -> None:
        with pytest.raises(CheckError, match="gives 2 scores, the data has 3 classes"):
            train("Narrow")

    def test_more_scores_than_classes(self, train: Train) -> None:
        assert any("gives 5 scores for 3 classes" in note for note in train("Fixed", epochs=1).notes)

    def test_an_instance(self, train: Train, tmp_path: Path) -> None:
        assert len(train("instance", epochs=1).metrics) == 1

    def test_an_argument_it_does_not_take(self, train: Train) -> None:
        with pytest.raises(UsageError, match="unknown argument 'depth'"):
            train(arguments={"depth": 3})
        with pytest.raises(TargetError):
            train("instance", arguments={"depth": 3})

    def test_arguments_reach_the_constructor(self, train: Train, tmp_path: Path) -> None:
        train(epochs=1, arguments={"width": 4, "num_classes": 7})
        state = torch.load(tmp_path / "run" / "last.pt", weights_only=True)
        assert state["model"]["classifier.2.weight"].shape == (7, 256)

    def test_images_of_other_channels(self, data: Data, options: TrainOptions, monkeypatch: pytest.MonkeyPatch) -> None:
        grey = ImageSet(data.train.images[:, :1], data.train.labels)
        monkeypatch.setattr(
            "archscope.training.session.load_data", lambda where, reporter: replace(data, train=grey, test=grey)
        )
        with pytest.raises(UsageError, match="resnet20 takes 1x3x32x32, not images of 1 channels"):
            train_target("resnet20", options)

    def test_a_device_that_is_not_there(self, train: Train) -> None:
        with pytest.raises(UsageError, match="--device rocket is not a device"):
            train(machine=MachineOptions(device="rocket"))
        with pytest.raises(UsageError, match="--device meta is not supported"):
            train(machine=MachineOptions(device="meta"))


class TestChecks:
    def test_a_sound_model_is_checked_and_trained(self, train: Train, options: TrainOptions) -> None:
        result = train(epochs=1, run=replace(options.run, checks=True))
        assert result.findings == ()

    def test_a_fault_stops_the_training(self, train: Train, options: TrainOptions, tmp_path: Path) -> None:
        listener = Listener()
        with pytest.raises(CheckError, match="1 check failed before the training: bounded-scores") as caught:
            train("Softmax", reporter=listener, run=replace(options.run, checks=True))
        assert "--no-check" in caught.value.remedy
        assert listener.findings[0].code == "bounded-scores"
        assert not (tmp_path / "run").exists()
        assert len(train("Softmax", epochs=1).metrics) == 1

    def test_only_the_checks(self, net_file: Path, loaded: Data, options: TrainOptions, tmp_path: Path) -> None:
        result = train_target(f"{net_file}:Net", options, check_only=True)
        assert result.findings == ()
        assert result.metrics == ()
        assert result.folder is None
        broken = train_target(f"{net_file}:Softmax", options, check_only=True)
        assert broken.failed
        assert not (tmp_path / "run").exists()
        with pytest.raises(ModelError):
            train_target(f"{net_file}:Raises", options, check_only=True)

    def test_shuffled_labels_are_named(
        self, train: Train, make_images: Callable[..., ImageSet], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        many = Data(make_images(150), make_images(150, seed=5), ("red", "green", "blue"), "stripes")
        monkeypatch.setattr("archscope.training.session.load_data", lambda where, reporter: many)
        listener = Listener()
        result = train(reporter=listener, recipe="lecture-vgg", epochs=30, selection=DataSubset(shuffle_labels=True))
        (finding,) = result.findings
        assert finding.code == "labels-shuffled"
        assert listener.findings == [finding]
        assert result.failed


class TestMachine:
    def test_mixed_precision(self, train: Train) -> None:
        result = train(epochs=3, machine=MachineOptions(precision="bfloat16"))
        assert result.metrics[-1].test_accuracy > 0.6

    def test_as_printed(self, train: Train, tmp_path: Path) -> None:
        result = train(as_printed=True, epochs=1)
        assert result.recipe.tests_in_training
        state = torch.load(tmp_path / "run" / "last.pt", weights_only=True)
        # Eight training batches, and the test's batch that BatchNorm should not have learned from.
        assert int(state["model"]["features.1.num_batches_tracked"]) == 8 + 1

    def test_corrected(self, train: Train, tmp_path: Path) -> None:
        train(epochs=1)
        state = torch.load(tmp_path / "run" / "last.pt", weights_only=True)
        assert int(state["model"]["features.1.num_batches_tracked"]) == 8

    def test_tensorboard_that_is_not_installed(
        self, train: Train, options: TrainOptions, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
        with pytest.raises(TargetError, match="needs tensorboard") as caught:
            train(run=replace(options.run, tensorboard=True))
        assert caught.value.remedy == "pip install 'torch-archscope[tensorboard]'"
