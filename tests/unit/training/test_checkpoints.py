"""What a checkpoint must be to go on from: whole, of this run, of this model, finite, and in nobody else's hands."""

import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import torch

import archscope
from archscope.core.errors import DataError, ModelError, OutputError, UsageError
from archscope.core.locks import lock_folder
from archscope.training.checkpoint import pack_checkpoint, unpack_checkpoint
from archscope.training.data.images import Data
from archscope.training.options import Keep, RunOptions, TrainOptions
from archscope.training.session import train_target

Go = Callable[..., Path]


@pytest.fixture
def go(net_file: Path, loaded: Data, tmp_path: Path) -> Go:
    """Trains in `run` for as many epochs; the folder is returned."""

    def train(epochs: int | None = None, name: str = "Net", *, resume: bool = False, keep: Keep = "last") -> Path:
        run = RunOptions(folder=tmp_path / "run", checks=False, resume=resume, keep=keep)
        words: dict[str, Any] = (
            {} if resume else {"recipe": "lecture-resnet", "batch_size": 8, "learning_rate": 0.02, "seed": 0}
        )
        train_target(f"{net_file}:{name}", TrainOptions(epochs=epochs, run=run, **words))
        return tmp_path / "run"

    return train


def edit(path: Path, change: Callable[[dict[str, Any]], None], *, sealed: bool = True) -> None:
    state = torch.load(path, weights_only=True)
    change(state)
    if sealed:
        path.write_bytes(pack_checkpoint(state))
    else:
        torch.save(state, path)


class TestDigest:
    def test_it_is_that_of_all_before_it(self, go: Go) -> None:
        blob = (go(1) / "last.pt").read_bytes()
        assert blob[-71:-64] == b"sha256:"
        assert blob[-64:].decode() == sha256(blob[:-64]).hexdigest()
        assert zipfile.ZipFile(io.BytesIO(blob)).comment == blob[-71:]

    def test_a_bit_anywhere(self, go: Go) -> None:
        path = go(1) / "last.pt"
        blob = path.read_bytes()
        for place in range(0, len(blob), len(blob) // 40):
            damaged = bytearray(blob)
            damaged[place] ^= 4
            with pytest.raises(DataError, match=r"last.pt is damaged: its contents are not those whose digest"):
                unpack_checkpoint(bytes(damaged), "last.pt")

    def test_the_one_before_is_offered(self, go: Go) -> None:
        folder = go(2)
        blob = bytearray((folder / "last.pt").read_bytes())
        blob[3000:3512] = bytes(512)
        (folder / "last.pt").write_bytes(blob)
        with pytest.raises(DataError, match="is damaged") as caught:
            go(3, resume=True)
        offered = f"cp {folder / 'previous.pt'} {folder / 'last.pt'}"
        assert "previous.pt is whole, after epoch 1" in caught.value.remedy
        assert offered in caught.value.remedy
        subprocess.run(offered.split(), check=True)
        go(3, resume=True)
        assert unpack_checkpoint((folder / "last.pt").read_bytes(), "last.pt").state["epoch"] == 3

    def test_of_all_that_are_kept_the_newest_whole_one_is_offered(self, go: Go) -> None:
        folder = go(3, keep="all")
        assert not (folder / "previous.pt").exists()
        (folder / "last.pt").write_bytes(b"")
        first, second, third = sorted(folder.glob("epoch*.pt"))
        third.write_bytes(third.read_bytes()[:-1])
        with pytest.raises(DataError) as caught:
            go(4, resume=True)
        assert f"{second.name} is whole, after epoch 2" in caught.value.remedy
        for path in (first, second):
            path.write_bytes(b"x")
        with pytest.raises(DataError) as caught:
            go(4, resume=True)
        assert "whole" not in caught.value.remedy

    def test_one_that_is_gone_is_not_begun_again(self, go: Go) -> None:
        folder = go(2)
        (folder / "last.pt").unlink()
        with pytest.raises(DataError, match=r"there is no .*last.pt, though the run has saved epochs") as caught:
            go(resume=True)
        assert "previous.pt is whole" in caught.value.remedy

    def test_without_a_digest(self, go: Go) -> None:
        folder = go(1)
        edit(folder / "last.pt", lambda state: None, sealed=False)
        with pytest.raises(DataError, match="carries no digest of its contents"):
            go(2, resume=True)

    def test_equal_contents_are_equal_bytes(self, go: Go, tmp_path: Path) -> None:
        whole = (go(3) / "last.pt").read_bytes()
        shutil.rmtree(tmp_path / "run")
        go(1)
        go(2, resume=True)
        assert (go(3, resume=True) / "last.pt").read_bytes() == whole


class TestSameRun:
    @pytest.mark.parametrize(
        ("field", "value", "told"),
        [
            ("seed", 7, "seed is 0 in .*config.json, 7 in .*last.pt"),
            ("learning_rate", 0.5, "learning_rate is 0.02 in .*config.json, 0.5 in"),
            ("target", "vgg16", "target is .*Net in .*config.json, vgg16 in"),
            ("batch_size", 9, "batch_size is 8 in"),
            ("threads", 3, "threads is 1 in"),
            ("epochs", 5, "epochs is 1 in .*, 5 in"),
            ("data_digest", "0" * 16, "data_digest is "),
        ],
    )
    @pytest.mark.parametrize("sealed", [True, False])
    def test_a_checkpoint_of_another_configuration(
        self, field: str, value: object, told: str, sealed: bool, go: Go
    ) -> None:
        folder = go(1)
        edit(folder / "last.pt", lambda state: state["config"].update({field: value}), sealed=sealed)
        with pytest.raises(UsageError, match=f"not the same run: {told}"):
            go(resume=True)

    def test_a_configuration_that_was_edited(self, go: Go) -> None:
        path = go(1) / "config.json"
        path.write_text(path.read_text().replace('"seed": 0', '"seed": 3'))
        with pytest.raises(UsageError, match=r"seed is 3 in .*config.json, 0 in .*last.pt"):
            go(resume=True)

    def test_a_configuration_that_is_gone_is_the_checkpoint_s(self, go: Go, tmp_path: Path) -> None:
        folder = go(1)
        config = (folder / "config.json").read_bytes()
        (folder / "config.json").unlink()
        go(resume=True)
        assert (folder / "config.json").read_bytes() == config
        for name in ("config.json", "last.pt"):
            (folder / name).unlink()
        with pytest.raises(DataError, match=r"metrics.jsonl and environment.json of a run, but neither"):
            go(2, resume=True)

    def test_a_longer_run_that_is_killed_before_its_next_epoch(self, go: Go, monkeypatch: pytest.MonkeyPatch) -> None:
        folder = go(1)

        def stop(*words: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr("archscope.training.run._run_epoch", stop)
            with pytest.raises(KeyboardInterrupt):
                go(3, resume=True)
        go(resume=True)
        assert json.loads((folder / "metrics.jsonl").read_text().splitlines()[-1])["epoch"] == 3


class TestWeights:
    @pytest.mark.parametrize(
        ("change", "told"),
        [
            (lambda held: held["features.0.weight"][0].fill_(float("nan")), r"features.0.weight is NaN in 27 of 216"),
            (lambda held: held["features.1.running_var"][0].fill_(float("inf")), "running_var is infinite in 1 of 8"),
            (lambda held: held.pop("classifier.2.bias"), "another model than Net: classifier.2.bias is missing"),
            (lambda held: held.update(extra=torch.ones(1)), "another model than Net: extra is not in the model"),
            (
                lambda held: held.update({"classifier.2.bias": torch.ones(5)}),
                "another model than Net: classifier.2.bias is 5 float32 there, here 3 float32",
            ),
            (lambda held: held.update({"classifier.2.bias": torch.ones(3).double()}), "3 float64 there, here 3 fl"),
            (lambda held: held.update({"classifier.2.bias": "x"}), "classifier.2.bias is no tensor"),
        ],
    )
    def test_weights_that_do_not_fit(self, change: Callable[[dict[str, Any]], None], told: str, go: Go) -> None:
        folder = go(1)
        edit(folder / "last.pt", lambda state: change(state["model"]))
        with pytest.raises(DataError, match=told):
            go(2, resume=True)

    def test_momentum_that_is_not_finite(self, go: Go) -> None:
        folder = go(1)
        edit(folder / "last.pt", lambda state: state["optimizer"]["state"][0]["momentum_buffer"].fill_(float("inf")))
        with pytest.raises(DataError, match="momentum_buffer of parameter 0 is infinite in 216 of 216 places"):
            go(2, resume=True)

    def test_a_mask_of_minus_infinity_is_as_it_was_built(self, go: Go, net_file: Path) -> None:
        net_file.write_text(
            net_file.read_text()
            + "class Masked(Net):\n    def __init__(self, num_classes=10):\n        super().__init__(num_classes)\n"
            + "        self.register_buffer('mask', torch.full((3,), float('-inf')))\n"
        )
        go(1, "Masked")
        go(2, "Masked", resume=True)


class TestLock:
    def test_another_process_is_named_and_its_end_frees_the_folder(self, go: Go, tmp_path: Path) -> None:
        folder = go(1)
        code = (
            "import sys\nfrom pathlib import Path\nfrom archscope.core.locks import lock_folder\n"
            "with lock_folder(Path(sys.argv[1]), 'trains'):\n    print('held', flush=True)\n    sys.stdin.read()\n"
        )
        environment = os.environ | {"PYTHONPATH": str(Path(archscope.__file__).parents[1])}
        command = [sys.executable, "-c", code, str(folder)]
        holder = subprocess.Popen(command, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        with holder:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "held\n"
            with pytest.raises(UsageError, match=rf"run is in use: process {holder.pid} trains in it") as caught:
                go(2, resume=True)
            assert "--run-dir" in caught.value.remedy
            holder.kill()
        assert (folder / ".lock").exists()
        go(2, resume=True)
        assert not list(folder.glob(".*"))

    def test_another_thread(self, tmp_path: Path) -> None:
        with lock_folder(tmp_path / "a" / "b", "trains"):
            with pytest.raises(UsageError, match=rf"this process \({os.getpid()}\) trains in it"):
                lock_folder(tmp_path / "a" / "b", "trains").__enter__()
            assert (tmp_path / "a" / "b" / ".lock").read_text() == f"{os.getpid()}\n"
        assert list(tmp_path.iterdir()) == []

    def test_a_link_is_not_followed(self, tmp_path: Path) -> None:
        (tmp_path / "run").mkdir()
        (tmp_path / "mine").write_text("mine")
        (tmp_path / "run" / ".lock").symlink_to(tmp_path / "mine")
        with pytest.raises(OutputError, match="cannot write in"):
            lock_folder(tmp_path / "run", "trains").__enter__()
        assert (tmp_path / "mine").read_text() == "mine"


ENDS = """
class Ends(Net):
    count = 0
    def forward(self, x):
        scores = super().forward(x)
        if self.training:
            Ends.count += 1
            if Ends.count > 10:
                {act}
        return scores

def leave(*words):
    raise {error}
"""


@pytest.mark.parametrize(
    "error", ["SystemExit(0)", "SystemExit", "GeneratorExit", "type('Odd', (BaseException,), {})()"]
)
@pytest.mark.parametrize("act", ["leave()", "scores.register_hook(leave)"], ids=["forward", "backward"])
def test_a_model_that_ends_the_process_is_a_failure_of_the_model(error: str, act: str, go: Go, net_file: Path) -> None:
    net_file.write_text(net_file.read_text() + ENDS.format(act=act, error=error))
    with pytest.raises(ModelError, match=r"the model raised \w+") as caught:
        go(3, "Ends")
    assert caught.value.exit_code == 3
    assert "stopped: epoch 1 of 3 is saved in" in caught.value.remedy
    assert "--resume" in caught.value.remedy


def test_checkpoints_of_every_epoch_leave_no_part(go: Go) -> None:
    folder = go(1, keep="all")
    go(2, resume=True, keep="all")
    go(2, resume=True, keep="all")
    assert not list(folder.glob(".*"))


def test_wrong_types_and_ranges_in_the_configuration_are_told_by_field(go: Go) -> None:
    folder = go(1)
    config = json.loads((folder / "config.json").read_text())
    (folder / "last.pt").unlink()
    wrong: tuple[Any, ...] = ([[]], -1, 0, 1e400, float("nan"), 10**400, "")
    for field in ("target", "side", "epochs", "batch_size", "learning_rate", "threads", "selection"):
        for value in wrong:
            (folder / "config.json").write_text(json.dumps(config | {field: value}))
            with pytest.raises(DataError, match=f"config.json: {field}") as caught:
                go(resume=True)
            assert caught.value.remedy == "choose another --run-dir"
    (folder / "config.json").write_text('{"arguments": ' + '{"a": ' * 100_000)
    with pytest.raises(DataError, match=r"cannot read .*config.json"):
        go(resume=True)


def test_a_state_that_cannot_be_loaded_is_refused(go: Go) -> None:
    folder = go(1)
    edit(folder / "last.pt", lambda state: state["optimizer"]["state"].update({0: {"momentum_buffer": torch.ones(2)}}))
    with pytest.raises(DataError, match="momentum_buffer of parameter 0 is not of the parameter's shape"):
        go(2, resume=True)
    for change, told in (
        (lambda state: state["optimizer"].update(param_groups=[]), "0 groups of parameters, not 1"),
        (lambda state: state["optimizer"]["param_groups"][0].update(momentum=0.5), "other momentum than this run"),
        (lambda state: state["optimizer"].update(state={99: {}}), "optimizer is malformed"),
        (lambda state: state.update(optimizer=None), "optimizer is malformed"),
        (lambda state: state.update(model=3), "holds no weights"),
        (lambda state: state.update(epoch=2), r"its epochs are \[1\], their number 2"),
        (lambda state: state["metrics"][0].update(train_loss=float("nan")), "a loss in it is NaN"),
    ):
        shutil.rmtree(folder)
        go(1)
        edit(folder / "last.pt", change)
        with pytest.raises(DataError, match=told):
            go(2, resume=True)
