"""Targets become classifiers: classes, sizes, heads; and batches that are none."""

import socket
from collections.abc import Iterator

import pytest
import torch
from torch import nn

from archscope.core.errors import CheckError, TargetError, UnknownNameError, UsageError
from archscope.training.checks.runner import check_training, pick_check_indices
from archscope.training.classifier import Wanted, build_classifier, copy_module, find_family
from archscope.training.data.images import ImageSet
from archscope.training.evaluation import read_scores
from archscope.training.options import MachineOptions
from archscope.training.processes import Processes, join_processes, read_processes
from archscope.training.recipes import find_recipe
from archscope.training.session import choose_execution
from archscope.training.trainer import make_optimizer

CPU = torch.device("cpu")
CIFAR = Wanted(10, (3, 32, 32))


def test_a_cifar_model() -> None:
    classifier = build_classifier("resnet20", {}, Wanted(2, (3, 32, 32)), seed=0)
    assert classifier.module.fc.out_features == 2
    assert classifier.size == (32, 32)
    assert classifier.normalised
    assert classifier.notes == ()
    assert classifier.module.training


def test_the_seed_decides_the_weights() -> None:
    first, again, other = (build_classifier("plain20", {}, CIFAR, seed).module.conv1.weight for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_images_are_resized_for_a_larger_input() -> None:
    classifier = build_classifier("resnet18", {}, CIFAR, seed=0)
    assert classifier.size == (224, 224)
    assert classifier.module.fc.out_features == 10
    assert classifier.notes == ("images are resized from 32x32 to 224x224 on the device",)
    assert build_classifier("resnet18", {}, Wanted(10, (3, 32, 32), side=64), seed=0).size == (64, 64)
    assert build_classifier("resnet18", {"stem": "cifar"}, CIFAR, seed=0).size == (32, 32)


def test_heads_are_trained() -> None:
    classifier = build_classifier("googlenet", {"aux": True}, CIFAR, seed=0)
    scores = read_scores(classifier.module.train()(torch.zeros(2, 3, 224, 224)), 2)
    assert len(scores.heads) == 2
    assert not classifier.normalised


def test_unknown_names_pass_through() -> None:
    with pytest.raises(UnknownNameError, match="unknown model 'resnet21'"):
        build_classifier("resnet21", {}, CIFAR, seed=0)
    assert (find_family("resnet21"), find_family("ResNet-20")) == ("", "resnet-cifar")


def test_a_module_that_cannot_be_copied() -> None:
    class Stubborn(nn.Module):
        def __deepcopy__(self, memory: object) -> object:
            raise ValueError("mine alone")

    with pytest.raises(TargetError, match="Stubborn cannot be copied: ValueError: mine alone"):
        copy_module(Stubborn())


@pytest.mark.parametrize(
    "batch",
    [
        (torch.zeros(4, 3, 8, 8),),
        (torch.zeros(4, 3, 8, 8), [0, 1, 2, 0]),
        (torch.zeros(4, 3, 8, 8), torch.zeros(3, dtype=torch.int64)),
        (torch.zeros(4, 3, 8, 8), torch.zeros(4)),
        (torch.zeros(1, 3, 8, 8), torch.zeros(1, dtype=torch.int64)),
        torch.zeros(4, 3, 8, 8),
    ],
)
def test_what_is_no_batch(batch: object) -> None:
    with pytest.raises(UsageError):
        check_training(nn.Linear(3, 3), batch)


def test_the_module_is_left_as_it_was() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2)).eval()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    state = torch.get_rng_state()
    labels = torch.tensor([0, 1, 0, 1])
    with torch.inference_mode():
        images = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        check_training(net, (images.clone(), labels))
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
    assert not net.training
    assert all(parameter.grad is None for parameter in net.parameters())
    assert torch.equal(torch.get_rng_state(), state)


def test_a_check_looks_at_each_class() -> None:
    images = ImageSet(torch.zeros(30, 3, 4, 4, dtype=torch.uint8), torch.arange(30) // 10)
    assert images.take(pick_check_indices(images, 32)).labels.tolist() == [0, 1, 2, 0, 1, 2, 0, 1]
    assert len(pick_check_indices(images, 224)) == 4
    assert len(pick_check_indices(images.take(torch.tensor([0, 12, 25])), 32)) == 3


def test_an_optimizer_without_anything_to_train() -> None:
    with pytest.raises(CheckError, match="no parameter to train"):
        make_optimizer(nn.ReLU(), find_recipe("fast"))


def test_scales_are_not_decayed_where_the_recipe_adapts() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    groups = make_optimizer(net, find_recipe("fast")).param_groups
    assert [(len(group["params"]), group["weight_decay"]) for group in groups] == [(1, 5e-4), (3, 0.0)]
    groups = make_optimizer(net, find_recipe("lecture-resnet")).param_groups
    assert [(len(group["params"]), group["weight_decay"]) for group in groups] == [(4, 5e-4)]


class TestExecution:
    def test_fast_is_accelerated_on_cuda_only(self, monkeypatch: pytest.MonkeyPatch) -> None:
        cuda, cpu = torch.device("cuda", 0), torch.device("cpu")
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
        execution = choose_execution(MachineOptions(), find_recipe("fast"), cuda)
        assert (execution.precision, execution.channels_last) == ("bfloat16", True)
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: False)
        assert choose_execution(MachineOptions(), find_recipe("fast"), cuda).precision == "float16"
        for recipe, device in (("fast", cpu), ("lecture-vgg", cuda)):
            execution = choose_execution(MachineOptions(), find_recipe(recipe), device)
            assert (execution.precision, execution.channels_last) == ("float32", False)
        asked = choose_execution(MachineOptions(precision="float32"), find_recipe("fast"), cuda)
        assert asked.precision == "float32"


class TestProcesses:
    def test_one_process_agrees_with_itself(self) -> None:
        alone, cpu = Processes(), torch.device("cpu")
        alone.wait()
        assert alone.share_bytes(b"x", cpu) == b"x"
        assert alone.agree(yes=False, device=cpu) is False
        assert alone.add(torch.ones(2)).tolist() == [1, 1]
        net = nn.Linear(1, 1)
        assert alone.wrap(net, cpu) is net

    def test_what_torchrun_says(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("RANK", raising=False)
        monkeypatch.delenv("LOCAL_RANK", raising=False)
        monkeypatch.setenv("WORLD_SIZE", "4")
        assert read_processes() == Processes()
        monkeypatch.setenv("RANK", "3")
        assert read_processes() == Processes(3, 4, 3)
        monkeypatch.setenv("LOCAL_RANK", "1")
        assert read_processes() == Processes(3, 4, 1)
        assert not read_processes().is_primary
        monkeypatch.setenv("RANK", "first")
        with pytest.raises(UsageError, match="must be numbers"):
            read_processes()


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> Iterator[Processes]:
    """Two processes as far as the code knows, of which one is there: every call reaches gloo."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for name, value in {"RANK": 0, "WORLD_SIZE": 1, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}.items():
        monkeypatch.setenv(name, str(value))
    processes = Processes(0, 2, 0)
    with join_processes(processes, CPU):
        yield processes


def test_what_processes_tell_each_other(connected: Processes) -> None:
    connected.wait()
    blob = bytes(range(256)) * 40
    assert connected.share_bytes(blob, CPU) == blob
    assert connected.share_bytes(b"", CPU) == b""
    assert connected.share_bytes(None, CPU) is None
    assert connected.agree(yes=True, device=CPU)
    assert not connected.agree(yes=False, device=CPU)
    assert connected.add(torch.ones(2)).tolist() == [1, 1]
    wrapped = connected.wrap(nn.Linear(2, 2), CPU)
    assert isinstance(wrapped, nn.parallel.DistributedDataParallel)
    with join_processes(Processes(), CPU):
        pass
