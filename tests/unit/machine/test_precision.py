"""What the words of `--dtype` and `--precision` mean to torch."""

import pytest
import torch

from archscope.machine.precision import Execution, autocast, find_compute_dtype

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("words", "dtype"),
    [
        (("fp32", "tf32", "float32"), torch.float32),
        (("bf16", "bfloat16"), torch.bfloat16),
        (("fp16", "float16"), torch.float16),
    ],
)
def test_both_spellings(words: tuple[str, ...], dtype: torch.dtype) -> None:
    for word in words:
        assert find_compute_dtype(word) == dtype
        with autocast(CPU, word):
            assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == dtype


def test_the_loss_is_scaled_in_float16_only() -> None:
    scales = {word: Execution(CPU, word).make_scaler().is_enabled() for word in ("float32", "bfloat16", "float16")}
    assert scales == {"float32": False, "bfloat16": False, "float16": True}
