"""Every exact shape rule against the true meta kernel: shapes, strides, dtypes, and what a rule leaves alone."""

from itertools import product
from typing import Any

import pytest
import torch

from archscope.tracing.rules import RULES, apply_rule
from archscope.tracing.structure import iterate_tensors

aten = torch.ops.aten

IMAGES = [(1, 3, 9, 9), (2, 1, 8, 7), (1, 1, 1, 1), (2, 4, 1, 1), (1, 4, 5, 1), (3, 4, 6, 6), (1, 2, 1, 5)]
FORMATS = [torch.contiguous_format, torch.channels_last]


def meta(*shape: int, dtype: torch.dtype = torch.float32, layout: torch.memory_format | None = None) -> torch.Tensor:
    tensor = torch.empty(shape, dtype=dtype, device="meta")
    return tensor if layout is None else tensor.contiguous(memory_format=layout)


def describe(output: Any) -> list[tuple[Any, ...]]:
    return [(t.shape, t.stride(), t.dtype, t.device.type) for _, t in iterate_tensors(output)]


def _convolutions() -> list[tuple[Any, ...]]:
    cases = []
    for shape, layout, kernel, stride, padding in product(IMAGES, FORMATS, (1, 3), (1, 2), (0, 1)):
        x = meta(*shape, layout=layout)
        weight = meta(6, shape[1], kernel, kernel)
        for bias in (None, meta(6)):
            cases.append((aten.convolution.default, x, weight, bias, [stride] * 2, [padding] * 2, [1, 1], False,
                          [0, 0], 1))  # fmt: skip
    grouped = (meta(2, 4, 9, 9), meta(8, 2, 3, 3), None, [1, 1], [2, 2], [2, 2], False, [0, 0], 2)
    line = (meta(2, 4, 9), meta(8, 4, 3), meta(8), [2], [1], [1], False, [0], 1)
    volume = (meta(2, 4, 9, 8, 7), meta(8, 4, 3, 3, 3), meta(8), [2] * 3, [1] * 3, [1] * 3, False, [0] * 3, 1)
    transposed = (meta(2, 4, 9, 9), meta(4, 8, 3, 3), None, [2, 2], [1, 1], [1, 1], True, [0, 0], 1)
    return [*cases, *((aten.convolution.default, *case) for case in (grouped, line, volume, transposed))]


def _pools() -> list[tuple[Any, ...]]:
    cases: list[tuple[Any, ...]] = []
    for shape, layout in product([*IMAGES, (2, 3, 11, 12), (2, 64, 14, 14)], FORMATS):
        x = meta(*shape, layout=layout)
        for kernel, stride, padding, ceil in product((2, 3), (1, 2, 3), (0, 1), (False, True)):
            cases.append(
                (aten.max_pool2d_with_indices.default, x, [kernel] * 2, [stride] * 2, [padding] * 2, [1, 1], ceil)
            )
            cases.append((aten.avg_pool2d.default, x, [kernel] * 2, [stride] * 2, [padding] * 2, ceil))
        cases.append((aten.max_pool2d_with_indices.default, x, [2, 2]))
        cases += [(aten._adaptive_avg_pool2d.default, x, [n, n]) for n in (1, 7)]
    cases.append((aten.avg_pool3d.default, meta(2, 1, 12, 8, 8), [5, 1, 1], [1, 1, 1]))
    return cases


def _elementwise() -> list[tuple[Any, ...]]:
    cases: list[tuple[Any, ...]] = []
    for shape, layout in product(IMAGES, FORMATS):
        x, y = meta(*shape, layout=layout), meta(*shape, layout=layout)
        cases += [(op, x) for op in (aten.relu.default, aten.gelu.default)]
        cases += [(op, x, y) for op in (aten.add.Tensor, aten.sub.Tensor, aten.mul.Tensor, aten.div.Tensor)]
        cases += [(aten.add.Tensor, x, 2.0), (aten.mul.Tensor, x, 3), (aten.mul.Scalar, x, 0.5)]
        cases += [(aten.pow.Tensor_Scalar, x, 0.75), (aten.add_.Tensor, x, y), (aten.add_.Tensor, x, 1)]
        cases += [(aten.mean.dim, x, [-1, -2], keep) for keep in (False, True)]
        cases += [(aten._softmax.default, x, 1, False), (aten.cat.default, [x, y], 1), (aten.cat.default, [x, y, x])]
        cases.append((aten.constant_pad_nd.default, x, [0, 1, 2, 0], 0.0))
        vectors = [meta(shape[1]) for _ in range(4)]
        cases += [(aten.native_batch_norm.default, x, *vectors, flag, 0.1, 1e-5) for flag in (False, True)]
    half = meta(2, 3, 4, 4, dtype=torch.bfloat16)
    cases += [(aten.add.Tensor, half, half), (aten.mul.Tensor, half, 2.0), (aten.relu.default, half)]
    cases += [(aten.add.Tensor, meta(2, 3), meta(3)), (aten.add.Tensor, half, meta(2, 3, 4, 4))]
    return cases


def _products() -> list[tuple[Any, ...]]:
    a, b = meta(3, 5), meta(7, 5).t()
    return [
        (aten.mm.default, a, b),
        (aten.addmm.default, meta(7), a, b),
        (aten.addmm.default, meta(3, 7), a, b),
        (aten.addmm.default, meta(1), a, b),
        (aten.bmm.default, meta(2, 3, 5), meta(2, 5, 4)),
        (aten.bmm.default, meta(2, 3, 5), meta(2, 4, 5).transpose(1, 2)),
        (aten.bmm.default, meta(2, 0, 5), meta(2, 5, 4)),
        (aten.native_layer_norm.default, meta(2, 3, 8), [8], meta(8), meta(8), 1e-5),
        (aten.native_layer_norm.default, meta(2, 3, 8), [3, 8], meta(3, 8), None, 1e-5),
        (aten.native_layer_norm.default, meta(2, 3, 8), [8], None, None, 1e-5),
    ]


CASES = [*_convolutions(), *_pools(), *_elementwise(), *_products()]


def test_every_rule_has_a_case_it_answers() -> None:
    answered = {case[0] for case in CASES if _answer(case) is not None}
    assert answered == set(RULES) - {aten._grouped_mm.default}


OFFSETS = torch.tensor([4, 8, 12], dtype=torch.int32)


@pytest.mark.parametrize(
    ("left", "right", "offsets"),
    [((12, 8), (3, 8, 16), OFFSETS), ((3, 4, 8), (3, 8, 16), None), ((3, 4, 8), (8, 12), OFFSETS),
     ((4, 12), (12, 8), OFFSETS)],
)  # fmt: skip
def test_grouped_products_in_float32_equal_the_real_kernel(left: Any, right: Any, offsets: Any) -> None:
    # The meta kernel takes bfloat16 alone, so the real kernel is what the rule is held to.
    real = torch._grouped_mm(torch.ones(left), torch.ones(right), offs=offsets)
    stand_ins = meta(*left), meta(*right)
    answer = apply_rule(aten._grouped_mm.default, stand_ins, {"offs": offsets})
    assert (answer.shape, answer.dtype) == (real.shape, real.dtype)
    assert apply_rule(aten._grouped_mm.default, (meta(5, 7), meta(3, 8, 16)), {"offs": OFFSETS}) is None


def _answer(case: tuple[Any, ...]) -> Any:
    try:
        return apply_rule(case[0], case[1:], {})
    except RuntimeError:
        return None


@pytest.mark.parametrize("operator", [rule for rule in RULES if rule is not aten._grouped_mm.default], ids=str)
def test_rules_equal_the_true_kernels(operator: Any) -> None:
    compared = 0
    for case in (case for case in CASES if case[0] is operator):
        answer = apply_rule(operator, case[1:], {})
        if answer is None:
            continue
        assert describe(answer) == describe(operator(*case[1:])), case
        compared += 1
    assert compared


@pytest.mark.parametrize(
    "case",
    [
        (aten.convolution.default, meta(1, 4, 8, 8), meta(6, 3, 3, 3), None, [1, 1], [0, 0], [1, 1], False, [0, 0], 1),
        (aten.convolution.default, meta(1, 3, 2, 2), meta(6, 3, 3, 3), None, [1, 1], [0, 0], [1, 1], False, [0, 0], 1),
        (aten.max_pool2d_with_indices.default, meta(1, 3, 1, 1), [2, 2], [2, 2]),
        (aten.bmm.default, meta(2, 3, 5), meta(2, 4, 5)),
        (aten.cat.default, [meta(1, 2, 3), meta(1, 2, 4)], 1),
        (aten.native_batch_norm.default, meta(1, 3, 4, 4), meta(4), meta(4), meta(4), meta(4), False, 0.1, 1e-5),
        (aten.add_.Tensor, meta(3), meta(2, 3)),
    ],
    ids=lambda case: str(case[0]),
)
def test_what_does_not_fit_is_left_to_the_kernel_that_refuses_it(case: tuple[Any, ...]) -> None:
    assert apply_rule(case[0], case[1:], {}) is None
    with pytest.raises(RuntimeError):
        case[0](*case[1:])


def test_products_that_do_not_fit_fail_with_the_words_of_the_real_kernel() -> None:
    with pytest.raises(RuntimeError) as real:
        torch.nn.functional.linear(torch.zeros(1, 12544), torch.zeros(4096, 25088), torch.zeros(4096))
    with pytest.raises(RuntimeError) as ours:
        apply_rule(aten.addmm.default, (meta(4096), meta(1, 12544), meta(25088, 4096)), {})
    assert str(ours.value) == str(real.value)
