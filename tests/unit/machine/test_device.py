"""Which device a word names, with and without GPUs, and what is said where it cannot be used."""

import pytest
import torch

from archscope.core.errors import UsageError
from archscope.machine.device import choose_default_device, find_device, free_memory, list_devices, tune_backends

CPU = torch.device("cpu")


@pytest.fixture
def four_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """As far as the code asks."""
    monkeypatch.setattr(torch, "empty", lambda *sizes, device: None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: f"GPU {index}")


@pytest.mark.usefixtures("four_gpus")
def test_a_process_takes_its_own_gpu() -> None:
    assert choose_default_device() == "cuda"
    assert find_device("cuda") == torch.device("cuda", 0)
    assert find_device("cuda", local_rank=1) == torch.device("cuda", 1)
    assert find_device("cuda:2", local_rank=1) == torch.device("cuda", 2)
    with pytest.raises(UsageError, match="--device cuda:4: no such GPU") as caught:
        find_device("cuda:4")
    assert "cuda:3 (GPU 3)" in caught.value.remedy


@pytest.mark.parametrize("word", ["cpu:1", "cpu:7", "mps:1"])
def test_there_is_one_processor(word: str) -> None:
    with pytest.raises(UsageError, match=f"^--device {word}: there is one {word[:3]} only, without a number"):
        find_device(word)
    assert find_device("cpu:0") == CPU


@pytest.mark.parametrize("count", [1025, 2**31, 10**30])
def test_more_threads_than_any_machine_has(count: int) -> None:
    before = torch.get_num_threads()
    told = r"^--threads .* are too many\n  give a number from 1 to 1,024$"
    with pytest.raises(UsageError, match=told), tune_backends(count):
        pytest.fail("they were started")
    assert torch.get_num_threads() == before


@pytest.mark.usefixtures("four_gpus")
def test_a_gpu_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*sizes: int, device: torch.device) -> None:
        raise RuntimeError("CUDA error: busy\nmore")

    monkeypatch.setattr(torch, "empty", refuse)
    with pytest.raises(UsageError, match=r"^--device cuda cannot be used: CUDA error: busy\n  available: cpu"):
        find_device("cuda")


def test_a_machine_without_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert choose_default_device() == "cpu"
    assert find_device("cpu") == find_device("cpu:0") == CPU
    assert list_devices().startswith("cpu (")
    for word, told in (
        ("rocket", "is not a device"),
        ("meta", "is not supported"),
        ("cuda", "CUDA is not available"),
        ("mps", "not available on this machine"),
    ):
        with pytest.raises(UsageError, match=f"--device {word}.*{told}") as caught:
            find_device(word)
        assert caught.value.remedy == f"available: {list_devices()}"


def test_threads_are_put_back() -> None:
    before = torch.get_num_threads()
    with tune_backends(before + 1):
        assert torch.get_num_threads() == before + 1
        assert torch.backends.cudnn.benchmark
    assert torch.get_num_threads() == before
    free_memory(CPU)
