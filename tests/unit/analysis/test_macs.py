"""MAC formulas against hand arithmetic, and every operation accounted for by name."""

from typing import Any

import pytest
from torch.utils.flop_counter import flop_registry

from archscope.analysis.macs import FORMULAS, count_op
from archscope.core.operators import OPERATORS, find_operator
from archscope.core.tensors import TensorSpec
from archscope.core.trace import OpRecord, ValueRef


def make_op(name: str, inputs: dict[str, tuple[int, ...]], output: tuple[int, ...] = (), **arguments: Any) -> OpRecord:
    refs = tuple(ValueRef(i, TensorSpec(key, shape, "float32")) for i, (key, shape) in enumerate(inputs.items()))
    made = ValueRef(99, TensorSpec("", output, "float32"))
    return OpRecord(0, name, "default", 0, refs, (made,), tuple(arguments.items()))


CASES: list[tuple[OpRecord, int]] = [
    # 55 x 55 outputs of 96 filters over 3 x 11 x 11: AlexNet's CONV1.
    (
        make_op("aten.convolution", {"input": (1, 3, 227, 227), "weight": (96, 3, 11, 11)}, (1, 96, 55, 55)),
        55 * 55 * 96 * (3 * 11 * 11),
    ),
    # Two groups of 48 channels each: AlexNet's CONV2.
    (
        make_op("aten.convolution", {"input": (1, 96, 27, 27), "weight": (256, 48, 5, 5)}, (1, 256, 27, 27), groups=2),
        27 * 27 * 256 * (48 * 5 * 5),
    ),
    # Every one of 2 x 4 x 5 x 5 inputs is spread over 3 x 3 x 3 outputs.
    (
        make_op("aten.convolution", {"input": (2, 4, 5, 5), "weight": (4, 3, 3, 3)}, (2, 6, 11, 11), transposed=True),
        2 * 4 * 5 * 5 * (3 * 3 * 3),
    ),
    (
        make_op(
            "aten.convolution_backward",
            {"grad_output": (1, 6, 4, 4), "input": (1, 4, 6, 6), "weight": (6, 2, 3, 3)},
            (1, 4, 6, 6),
            output_mask=(True, True, True),
        ),
        2 * (6 * 4 * 4 * 2 * 3 * 3),
    ),
    (
        make_op(
            "aten.convolution_backward",
            {"grad_output": (1, 6, 4, 4), "input": (1, 4, 6, 6), "weight": (6, 4, 3, 3)},
            (6, 4, 3, 3),
            output_mask=(False, True, True),
        ),
        6 * 4 * 4 * 4 * 3 * 3,
    ),
    (make_op("aten.conv_tbc", {"self": (10, 2, 4), "weight": (3, 4, 8)}, (8, 2, 8)), 8 * 2 * 8 * (3 * 4)),
    (make_op("aten._slow_conv2d_forward", {"self": (1, 3, 8, 8), "weight": (5, 27)}, (1, 5, 6, 6)), 5 * 36 * 27),
    (make_op("aten.slow_conv_transpose2d", {"self": (1, 3, 8, 8), "weight": (3, 5, 2, 2)}), 3 * 64 * 20),
    (
        make_op("torchvision.deform_conv2d", {"input": (1, 4, 8, 8), "weight": (6, 2, 3, 3)}, (1, 6, 6, 6)),
        6 * 36 * (2 * 9),
    ),
    (make_op("quantized.linear_dynamic", {"X": (7, 4)}, (7, 9)), 7 * 4 * 9),
    (make_op("quantized.conv2d_relu", {"qx": (1, 3, 8, 8), "weight.0": (5, 3, 3, 3)}, (1, 5, 6, 6)), 5 * 36 * 27),
    (make_op("aten.mm", {"self": (2, 3), "mat2": (3, 5)}), 2 * 3 * 5),
    (make_op("aten.addmm", {"self": (5,), "mat1": (2, 3), "mat2": (3, 5)}), 2 * 3 * 5),
    (make_op("aten._addmm_activation", {"self": (5,), "mat1": (2, 3), "mat2": (3, 5)}), 2 * 3 * 5),
    (make_op("aten.bmm", {"self": (4, 2, 3), "mat2": (4, 3, 5)}), 4 * 2 * 3 * 5),
    (make_op("aten.baddbmm", {"self": (1,), "batch1": (4, 2, 3), "batch2": (4, 3, 5)}), 4 * 2 * 3 * 5),
    (make_op("aten.addbmm", {"self": (1,), "batch1": (4, 2, 3), "batch2": (4, 3, 5)}), 4 * 2 * 3 * 5),
    (make_op("aten._scaled_mm", {"self": (16, 32), "mat2": (32, 64)}), 16 * 32 * 64),
    (make_op("aten.mv", {"self": (4, 6), "vec": (6,)}), 4 * 6),
    (make_op("aten.addmv", {"self": (4,), "mat": (4, 6), "vec": (6,)}), 4 * 6),
    (make_op("aten.dot", {"self": (6,), "tensor": (6,)}), 6),
    (make_op("aten.vdot", {"self": (6,), "other": (6,)}), 6),
    (make_op("aten.addr", {"self": (4, 6), "vec1": (4,), "vec2": (6,)}), 4 * 6),
    (make_op("aten.linear", {"input": (2, 7, 4), "weight": (9, 4)}), 2 * 7 * 4 * 9),
    (make_op("aten._weight_int8pack_mm", {"self": (3, 8), "mat2": (16, 8)}, (3, 16)), 3 * 8 * 16),
    (make_op("aten._weight_int4pack_mm", {"self": (3, 8), "mat2": (1, 1, 32, 4)}, (3, 16)), 3 * 8 * 16),
    (make_op("aten._dyn_quant_matmul_4bit", {"inp": (3, 8)}, (3, 16), out_features=16), 3 * 8 * 16),
    # Four forms of a grouped product: rows, batches, columns and sums split among experts.
    (make_op("aten._grouped_mm", {"self": (12, 8), "mat2": (3, 8, 16), "offs": (3,)}), 12 * 8 * 16),
    (make_op("aten._grouped_mm", {"self": (3, 5, 8), "mat2": (3, 8, 16)}), 3 * 5 * 8 * 16),
    (make_op("aten._grouped_mm", {"self": (3, 5, 8), "mat2": (8, 48), "offs": (3,)}), 5 * 8 * 48),
    (make_op("aten._grouped_mm", {"self": (5, 24), "mat2": (24, 16), "offs": (3,)}), 5 * 24 * 16),
    # nn.Bilinear(5, 6, 7) on three rows: every output sums over 5 x 6 products.
    (
        make_op(
            "aten._trilinear",
            {"i1": (3, 5), "i2": (7, 5, 6), "i3": (3, 6)},
            (3, 7),
            expand1=(1, 3),
            expand2=(0,),
            expand3=(1, 2),
        ),
        3 * 7 * 5 * 6,
    ),
    (
        make_op("aten.linear_backward", {"self": (2, 4), "grad_output": (2, 9), "weight": (9, 4)}, (2, 4)),
        2 * (2 * 9 * 4),
    ),
    # Q K^T and A V for 8 heads, 10 queries, 20 keys of width 16, values of width 12; causality changes nothing.
    (
        make_op(
            "aten._scaled_dot_product_flash_attention_for_cpu",
            {"query": (2, 8, 10, 16), "key": (2, 8, 20, 16), "value": (2, 8, 20, 12)},
            is_causal=True,
        ),
        2 * 8 * 10 * 20 * (16 + 12),
    ),
    # Grouped queries: two key heads for eight query heads cost what eight would.
    (
        make_op(
            "aten._scaled_dot_product_efficient_attention",
            {"query": (2, 8, 10, 16), "key": (2, 2, 20, 16), "value": (2, 2, 20, 16)},
        ),
        2 * 8 * 10 * 20 * 32,
    ),
    (
        make_op(
            "aten._scaled_dot_product_flash_attention_backward",
            {"grad_out": (1, 2, 5, 4), "query": (1, 2, 5, 4), "key": (1, 2, 7, 4), "value": (1, 2, 7, 4)},
        ),
        2 * 5 * 7 * (3 * 4 + 2 * 4),
    ),
    (
        make_op(
            "aten._flash_attention_forward", {"query": (2, 10, 8, 16), "key": (2, 20, 8, 16), "value": (2, 20, 8, 16)}
        ),
        2 * 8 * 10 * 20 * 32,
    ),
    (
        make_op(
            "aten._efficient_attention_backward",
            {"query": (2, 10, 8, 16), "key": (2, 20, 8, 16), "value": (2, 20, 8, 16)},
        ),
        2 * 8 * 10 * 20 * 80,
    ),
    (
        make_op("flex_attention", {"args.0": (1, 2, 128, 16), "args.1": (1, 2, 128, 16), "args.2": (1, 2, 128, 16)}),
        2 * 128 * 128 * 32,
    ),
    # Two sequences of ten tokens, width 64, feed-forward 128.
    (
        make_op(
            "aten._transformer_encoder_layer_fwd",
            {
                "src": (2, 10, 64),
                "qkv_weight": (192, 64),
                "proj_weight": (64, 64),
                "ffn_weight_1": (128, 64),
                "ffn_weight_2": (64, 128),
            },
        ),
        20 * (4 * 64 * 64) + 2 * 2 * 10 * 10 * 64 + 20 * (2 * 64 * 128),
    ),
    (
        make_op(
            "aten._native_multi_head_attention",
            {
                "query": (2, 10, 64),
                "key": (2, 10, 64),
                "value": (2, 10, 64),
                "qkv_weight": (192, 64),
                "proj_weight": (64, 64),
            },
        ),
        20 * (4 * 64 * 64) + 2 * 2 * 10 * 10 * 64,
    ),
    # An LSTM layer, seven steps of three sequences, width 32 on 16; and the same as one packed batch of 14 steps.
    (
        make_op(
            "aten.mkldnn_rnn_layer",
            {"input": (7, 3, 16), "weight0": (128, 16), "weight1": (128, 32), "weight2": (128,)},
        ),
        7 * 3 * (4 * 32) * (16 + 32),
    ),
    (
        make_op(
            "aten._cudnn_rnn", {"input": (14, 16), "weight.0": (128, 16), "weight.1": (128, 32), "weight.2": (128,)}
        ),
        14 * (4 * 32) * (16 + 32),
    ),
]


@pytest.mark.parametrize(("op", "macs"), CASES, ids=[op.name for op, _ in CASES])
def test_formulas_equal_hand_arithmetic(op: OpRecord, macs: int) -> None:
    assert count_op(op).macs == macs


@pytest.mark.parametrize(
    ("op", "reason"),
    [
        (make_op("mylib.mystery", {"x": (3,)}), "no formula"),
        (make_op("aten.linalg_inv_ex", {"A": (3, 3)}), "solver"),
        (make_op("aten._sparse_mm", {"sparse": (3, 3)}), "not zero"),
        (make_op("aten._flash_attention_forward", {"query": (9, 8, 4), "cum_seq_q": (3,)}), "lengths are values"),
        (make_op("aten._cudnn_rnn", {"input": (7, 3, 16), "weight_buf": (900,)}), "packed"),
        (make_op("aten._transformer_encoder_layer_fwd", {"src": (20, 64)}), "nested"),
        (make_op("quantized.conv2d", {"qx": (1, 3, 8, 8)}, (1, 5, 6, 6)), "not a plain tensor"),
    ],
    ids=lambda value: value.name if isinstance(value, OpRecord) else "",
)
def test_what_cannot_be_counted_says_why(op: OpRecord, reason: str) -> None:
    cost = count_op(op)
    assert cost.macs is None
    assert reason in cost.reason


def test_every_operation_of_torchs_flop_registry_has_a_formula() -> None:
    # By name, so that an operation a new torch adds is missed by this test and not by a user.
    found = {str(op): find_operator(str(op)) for op in flop_registry}
    assert [name for name, operator in found.items() if operator is None or operator.free] == []


def test_every_formula_that_the_taxonomy_names_exists_and_is_used() -> None:
    assert {operator.formula for operator in OPERATORS.values()} - {""} == set(FORMULAS)


@pytest.mark.parametrize("name", ["aten.relu", "aten.relu_", "aten.add", "aten.native_batch_norm", "aten._foreach_add"])
def test_free_operations_are_free_by_name(name: str) -> None:
    assert count_op(make_op(name, {"self": (3,)})).macs == 0


@pytest.mark.parametrize(
    ("op", "macs"),
    [
        # The in-place form costs as much as the plain one.
        (make_op("aten.addmm_", {"self": (2, 5), "mat1": (2, 3), "mat2": (3, 5)}), 2 * 3 * 5),
        (make_op("aten.matmul", {"self": (4, 2, 3), "other": (3, 5)}, (4, 2, 5)), 4 * 2 * 5 * 3),
        (make_op("aten.matmul", {"self": (3,), "other": (3,)}), 3),
    ],
    ids=["addmm_", "matmul", "matmul of vectors"],
)
def test_forms_that_were_once_without_a_formula(op: OpRecord, macs: int) -> None:
    assert count_op(op).macs == macs
