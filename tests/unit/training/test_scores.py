"""What classifiers return, and the loss of it."""

from collections import namedtuple
from math import log
from typing import Any

import pytest
import torch
from torch import Tensor

from archscope.core.errors import ModelError
from archscope.training.evaluation import Scores, read_scores

Output = namedtuple("Output", ["logits", "aux_logits2", "aux_logits1"])
SCORES, HEAD = torch.zeros(4, 10), torch.ones(4, 10)


@pytest.mark.parametrize(
    ("output", "heads"),
    [
        (SCORES, 0),
        (SCORES.view(4, 10, 1, 1), 0),
        ((SCORES, HEAD), 0),
        ([SCORES], 0),
        (Output(SCORES, HEAD, HEAD), 2),
        (Output(SCORES, None, None), 0),
        ({"logits": SCORES}, 0),
        ({"out": SCORES, "aux": HEAD}, 1),
    ],
)
def test_scores_are_found(output: Any, heads: int) -> None:
    scores = read_scores(output, 4)
    assert torch.equal(scores.logits, SCORES)
    assert len(scores.heads) == heads


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (torch.zeros(4, 512, 7, 7), "returned 4x512x7x7 for a batch of 4"),
        (torch.zeros(5, 10), "returned 5x10 for a batch of 4"),
        (torch.zeros(()), "returned a scalar"),
        ("scores", "returned str, not class scores"),
        ({"loss": 1.0}, "returned dict"),
        ((), "returned tuple"),
    ],
)
def test_what_is_no_scores(output: Any, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        read_scores(output, 4)


def test_heads_weigh_three_tenths() -> None:
    labels = torch.zeros(4, dtype=torch.int64)
    loss: Tensor = Scores(SCORES, (HEAD, HEAD)).find_loss(labels)
    assert float(loss) == pytest.approx(1.6 * log(10))
    sharp = Scores(torch.eye(10)[:4] * 1000)
    assert float(sharp.find_loss(torch.arange(4))) == 0
    assert float(sharp.find_loss(torch.arange(4), label_smoothing=0.1)) == pytest.approx(0.1 * 0.9 * 1000)
