"""The taxonomy of operators: one registration is enough for every analysis, and what it says agrees with torch."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

import archscope
from archscope.analysis.costs import count_costs
from archscope.analysis.explain import Explainer
from archscope.analysis.macs import FORMULAS, count_op
from archscope.analysis.memory import find_trace_peak
from archscope.analysis.receptive import measure_fields
from archscope.analysis.windows import is_adaptive, is_convolution, is_pool, read_windows
from archscope.benchmarking.roofline import count_moved
from archscope.core.operators import OPERATORS, Operator, find_operator, register_operator
from archscope.core.tensors import TensorSpec
from archscope.core.trace import LayerCall, OpRecord, StateTensor, StateTotals, Trace, ValueRef
from archscope.tables.lecture_rows import describe_op

Shape = tuple[int, ...]
Register = Callable[[Operator], Operator]


@pytest.fixture
def register() -> Iterator[Register]:
    """Makes operators known until the test ends."""
    names: list[str] = []

    def add(operator: Operator) -> Operator:
        register_operator(operator)
        names.append(operator.name)
        return operator

    yield add
    for name in names:
        del OPERATORS[name]


def refer(value: int, key: str, shape: Shape) -> ValueRef:
    return ValueRef(value, TensorSpec(key, shape, "float32"))


def make_op(name: str, inputs: dict[str, Shape], output: Shape = (), **arguments: Any) -> OpRecord:
    refs = tuple(refer(value, key, shape) for value, (key, shape) in enumerate(inputs.items()))
    return OpRecord(0, name, "default", 0, refs, (refer(9, "", output),), tuple(arguments.items()))


def make_trace(op: OpRecord, weights: tuple[int, ...] = ()) -> Trace:
    """A model that is one layer, which runs one operation on its input 0."""
    state = tuple(
        StateTensor(ref.spec.key, ref.value, ref.shape, "float32", "parameter", trainable=True)
        for ref in op.inputs
        if ref.value in weights
    )
    params = sum(torch.Size(item.shape).numel() for item in state)
    layer = LayerCall(
        id=0,
        parent=None,
        path="",
        type="Made",
        call=0,
        depth=0,
        leaf=True,
        inputs=op.inputs[:1],
        outputs=op.outputs,
        own_params=params,
        params=params,
        trainable_params=params,
        buffers=0,
        first_op=0,
        end_op=1,
    )
    return Trace(
        archscope="0",
        torch="2",
        target="made",
        arguments=(),
        mode="meta",
        training=False,
        inputs=op.inputs[:1],
        outputs=op.outputs,
        layers=(layer,),
        ops=(op,),
        edges=(),
        state=state,
        totals=StateTotals(params, params, 0, 4 * params, 0),
    )


def explain(trace: Trace) -> dict[str, str]:
    """`quantity: expression = value` by quantity."""
    found = Explainer(trace, count_costs(trace)).explain_words(".")
    return {line.quantity: f"{line.expression} = {line.shown}" for line in found.lines}


def test_one_registration_makes_a_convolution_known_everywhere(register: Register) -> None:
    # 8 filters of 3 x 5 x 5 at stride 2, padding 1, on 3 x 32 x 32: floor((32 + 2 - 5) / 2) + 1 = 15.
    shapes = {"x": (1, 3, 32, 32), "kernel": (8, 3, 5, 5)}
    op = make_op("mylib.conv2d", shapes, (1, 8, 15, 15), stride=(2, 2), padding=(1, 1), groups=1)
    assert count_op(op).reason == "no formula"
    register(Operator("mylib.conv2d", "convolution", data=("x",), weight=("kernel",)))
    trace = make_trace(op, weights=(1,))
    costs = count_costs(trace)
    assert costs.macs == 15 * 15 * 8 * (3 * 5 * 5)
    assert costs.activations == 15 * 15 * 8
    lines = explain(trace)
    assert lines["height, width"] == "floor((32 + 2*1 - 5) / 2) + 1 = 15"
    assert lines["MACs"] == "15 * 15 * 8 * (3 * 5 * 5) = 135,000"
    # One position reads five, and the next begins two further; the first begins in the padding.
    field = measure_fields(trace)[0].dimensions
    assert [(found.size, found.jump, found.start) for found in field] == [(5, 2, -1), (5, 2, -1)]
    row = describe_op(op, costly=True)
    assert row is not None
    assert (row.kind, row.heading, row.detail) == ("conv", "CONV", "8 5x5 filters at stride 2, pad 1")


def test_one_registration_makes_a_pool_known_everywhere(register: Register) -> None:
    op = make_op("mylib.max_pool2d", {"x": (1, 4, 9, 9)}, (1, 4, 4, 4), kernel_size=(3, 3), stride=(2, 2))
    register(Operator("mylib.max_pool2d", "pool", title="MAX POOL"))
    trace = make_trace(op)
    costs = count_costs(trace)
    assert (costs.macs, costs.activations) == (0, 0)
    assert explain(trace)["height, width"] == "floor((9 + 2*0 - 3) / 2) + 1 = 4"
    assert [found.size for found in measure_fields(trace)[0].dimensions] == [3, 3]
    row = describe_op(op, costly=False)
    assert row is not None
    assert (row.kind, row.heading, row.detail) == ("pool", "MAX POOL", "3x3 filters at stride 2")


def test_one_registration_makes_a_product_known_everywhere(register: Register) -> None:
    op = make_op("mylib.multiply", {"a": (7, 4), "b": (4, 9)}, (7, 9))
    register(Operator("mylib.multiply", "product", data=("a",), weight=("b",)))
    trace = make_trace(op, weights=(1,))
    costs = count_costs(trace)
    assert (costs.macs, costs.activations) == (7 * 4 * 9, 7 * 9)
    assert explain(trace)["MACs"] == "7 * 4 * 9 = 252"
    row = describe_op(op, costly=True)
    assert row is not None
    assert (row.kind, row.heading, row.detail) == ("fc", "FC", "9 neurons")
    # A product of two activations is attention's: MACs, and no layer's outputs.
    assert count_costs(make_trace(op)).activations == 0


def test_a_product_reads_all_of_its_last_axis(register: Register) -> None:
    op = make_op("mylib.multiply", {"a": (1, 2, 6, 4), "b": (4, 9)}, (1, 2, 6, 9))
    register(Operator("mylib.multiply", "product", data=("a",), weight=("b",)))
    found = measure_fields(make_trace(op, weights=(1,)))[0].dimensions
    assert [(field.kind, field.size) for field in found] == [("extent", 1), ("whole", None)]


def test_a_registered_view_shares_its_storage_and_moves_nothing(register: Register) -> None:
    op = make_op("mylib.turn", {"x": (10, 10)}, (10, 10))
    assert find_trace_peak(make_trace(op)).live_bytes == 2 * 400
    assert count_moved(op) == 2 * 400
    register(Operator("mylib.turn", "layout", view=True))
    assert find_trace_peak(make_trace(op)).live_bytes == 400
    assert count_moved(op) == 0


def test_a_name_is_registered_once(register: Register) -> None:
    register(Operator("mylib.twice", "other"))
    with pytest.raises(ValueError, match=r"mylib\.twice is registered twice"):
        register_operator(Operator("mylib.twice", "other"))
    with pytest.raises(ValueError, match="registered twice"):
        register_operator(Operator("aten.relu", "other"))


@pytest.mark.parametrize(
    ("name", "kind", "free"),
    [
        ("aten.relu_", "activation", True),
        ("aten.addmm_", "product", False),
        ("aten.__iand__", "other", True),
        ("aten._foreach_mul", "other", True),
        ("prims.add", "other", True),
    ],
)
def test_forms_and_families_are_found_by_name(name: str, kind: str, free: bool) -> None:
    found = find_operator(name)
    assert found is not None
    assert (found.kind, found.free) == (kind, free)


def test_an_unknown_operator_is_not_found() -> None:
    assert find_operator("mylib.mystery") is None
    assert find_operator("aten.mystery_") is None


def test_the_names_exist_in_torch() -> None:
    # A typo in a name would make its row dead.
    known = {schema.name.replace("::", ".") for schema in torch._C._jit_get_all_schemas()}
    missing = {name for name in OPERATORS if name.startswith(("aten.", "quantized.")) and name not in known}
    assert missing <= OPTIONAL


OPTIONAL = {"aten.linalg_polar", "aten.linalg_matrix_sqrth"}  # since torch 2.14
"""They come with other builds or other versions of torch."""


def test_views_are_those_of_torchs_schemas() -> None:
    """An output of a view bears the mark of an input that it shares memory with."""
    aliases = {
        schema.name.replace("::", ".")
        for schema in torch._C._jit_get_all_schemas()
        if any(result.alias_info is not None and not result.alias_info.is_write for result in schema.returns)
    }
    views = {name for name, operator in OPERATORS.items() if operator.view}
    # Hidden from autograd: they share memory, and their schemas do not say so.
    unsafe = {"aten._unsafe_view", "aten.unsafe_split", "aten.unsafe_split_with_sizes", "aten.unsafe_chunk"}
    assert views - aliases == unsafe
    # What may return its own input or a copy is counted as a copy; the rest is of sparse, nested or dual tensors.
    assert {"aten.contiguous", "aten.to"} <= aliases - views
    kept = {name for name in aliases - views if name in OPERATORS and OPERATORS[name].kind == "layout"}
    assert kept == set()


def test_operands_that_the_taxonomy_names_exist_in_the_schemas() -> None:
    """A convolution or product without any of its operands' names could never be counted."""
    wrong = []
    for schema in torch._C._jit_get_all_schemas():
        operator = OPERATORS.get(schema.name.replace("::", "."))
        if operator is None or operator.kind not in ("convolution", "product") or schema.overload_name:
            continue
        names = {argument.name for argument in schema.arguments}
        made_inside = "quantized" in schema.name or "affine_grid" in schema.name
        if not names & set(operator.data) or not (names & set(operator.weight) or made_inside):
            wrong.append(schema.name)
    assert wrong == []


def test_every_counted_kind_has_its_formula() -> None:
    counted = ("convolution", "product", "attention", "recurrent", "encoder", "backward")
    assert [op.name for op in OPERATORS.values() if (op.kind in counted) == op.free and not op.reason] == []
    assert [op.name for op in OPERATORS.values() if op.formula and op.formula not in FORMULAS] == []


class TestDriftIsGone:
    """Operators that one list knew and another did not."""

    @pytest.mark.parametrize("name", ["aten.mkldnn_convolution", "aten.cudnn_convolution", "aten.conv2d"])
    def test_backends_convolutions_are_explained_and_have_rows(self, name: str) -> None:
        shapes = {"self": (1, 3, 8, 8), "weight": (4, 3, 3, 3)}
        op = make_op(name, shapes, (1, 4, 6, 6), stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1)
        assert is_convolution(op)
        row = describe_op(op, costly=True)
        assert row is not None
        assert row.detail == "4 3x3 filters at stride 1, pad 0"

    def test_a_transposed_convolution_of_its_own_name_is_followed(self) -> None:
        # Kernel 2 at stride 2: every output depends on one input, and two outputs lie on each.
        shapes = {"self": (1, 3, 4, 4), "weight": (3, 5, 2, 2)}
        op = make_op("aten.conv_transpose2d", shapes, (1, 5, 8, 8), stride=(2, 2), padding=(0, 0), dilation=(1, 1))
        found = measure_fields(make_trace(op, weights=(1,)))[0].dimensions
        assert [(field.size, float(field.jump or 0)) for field in found] == [(1, 0.5), (1, 0.5)]

    def test_a_kernel_that_has_become_a_matrix_is_read_from_its_argument(self) -> None:
        shapes = {"self": (1, 3, 8, 8), "weight": (5, 27)}
        op = make_op("aten.thnn_conv2d", shapes, (1, 5, 6, 6), kernel_size=(3, 3), stride=(1, 1), padding=(0, 0))
        assert [window.kernel for window in read_windows(op)] == [3, 3]
        assert [field.size for field in measure_fields(make_trace(op, weights=(1,)))[0].dimensions] == [3, 3]

    def test_pools_of_other_backends_are_pools(self) -> None:
        assert is_pool(make_op("aten.mkldnn_max_pool2d", {"self": (1, 3, 8, 8)}, (1, 3, 4, 4)))
        assert is_pool(make_op("quantized.max_pool2d", {"qx": (1, 3, 8, 8)}, (1, 3, 4, 4)))
        assert is_adaptive(make_op("aten.mkldnn_adaptive_avg_pool2d", {"self": (1, 3, 8, 8)}, (1, 3, 1, 1)))

    @pytest.mark.parametrize("name", ["aten.view_as_real", "aten._reshape_alias", "aten.unflatten", "aten.view_as"])
    def test_a_view_is_one_to_memory_and_to_the_roofline(self, name: str) -> None:
        op = make_op(name, {"self": (10, 10)}, (10, 10))
        assert count_moved(op) == 0
        assert find_trace_peak(make_trace(op)).live_bytes == 400

    @pytest.mark.parametrize("name", ["aten.selu", "aten.celu", "aten.softplus", "aten._prelu_kernel"])
    def test_every_activation_is_a_non_linearity(self, name: str) -> None:
        found = find_operator(name)
        assert found is not None
        assert found.kind == "activation"

    def test_a_bias_is_no_factor_of_a_product(self) -> None:
        # Two activations and a parameter that is added: attention with a learnt bias, no linear layer.
        op = make_op("aten.addmm", {"mat1": (2, 3), "self": (5,), "mat2": (3, 5)}, (2, 5))
        assert count_costs(make_trace(op, weights=(1,))).activations == 0
        assert count_costs(make_trace(op, weights=(1, 2))).activations == 2 * 5

    def test_borders_of_volumes_are_padding(self) -> None:
        found = [find_operator(f"aten.{name}_pad3d") for name in ("reflection", "replication")]
        assert [operator.kind for operator in found if operator] == ["padding", "padding"]

    @pytest.mark.parametrize(
        "name", ["aten.relu", "aten.relu_", "aten.clamp_min_", "aten.threshold", "aten.threshold_"]
    )
    def test_in_place_rectifiers_are_rectifiers(self, name: str) -> None:
        found = find_operator(name)
        assert found is not None
        assert found.rectifies


MIXED = [
    pytest.param(lambda x: torch.addbmm(x[0].double(), x, x), id="addbmm"),
    pytest.param(lambda x: torch.vdot(x[0, 0], x[0, 0].double()), id="vdot"),
    pytest.param(lambda x: torch.ops.aten._addmm_activation(x[0, 0].double(), x[0], x[0]), id="_addmm_activation"),
]


@pytest.mark.parametrize("compute", MIXED)
def test_products_of_several_dtypes_are_refused_as_real_kernels_refuse_them(compute: Callable[..., Any]) -> None:
    class Mixed(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            made: torch.Tensor = compute(x)
            return made

    x = torch.ones(4, 4, 4)
    with pytest.raises(RuntimeError, match="dtype"):
        Mixed()(x)
    with pytest.raises(archscope.ForwardError, match="dtype"):
        archscope.trace(Mixed(), x)
