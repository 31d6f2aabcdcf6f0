"""`--arg` and `--input`: what people type, and what they are told."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archscope.core.errors import InputSpecError, UsageError
from archscope.core.input_spec import Group, Plain, Sizes
from archscope.core.words import InputSpec, parse_arguments, parse_input


class TestArguments:
    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("10", 10),
            ("-1", -1),
            ("0.5", 0.5),
            ("1e-3", 0.001),
            ("true", True),
            ("False", False),
            ("NONE", None),
            ("A", "A"),
            ("cifar", "cifar"),
            ("'true'", "true"),
            ('"a,b"', "a,b"),
            ("", ""),
            ("08", "08"),
            ("a b", "a b"),
            ("(3, 3)", (3, 3)),
            ("[1, 2]", [1, 2]),
            ("[]", []),
            ("64,64,M,128,M", [64, 64, "M", 128, "M"]),
            ("64,64", [64, 64]),
            ("64,", [64]),
            ("true,none,x", [True, None, "x"]),
            ("(1,2),(3,4)", [(1, 2), (3, 4)]),
            ("a=b", "a=b"),
            ("{'a': 1}", {"a": 1}),
            ("__import__('os')", "__import__('os')"),
            ("(" * 3000, "(" * 3000),
            ("-" * 9000 + "1", "-" * 9000 + "1"),
        ],
    )
    def test_values(self, text: str, value: Any) -> None:
        (parsed,) = parse_arguments([f"key={text}"]).values()
        assert parsed == value
        assert type(parsed) is type(value)

    def test_several(self) -> None:
        assert parse_arguments(["a=1", "b=x"]) == {"a": 1, "b": "x"}
        assert parse_arguments([]) == {}

    @pytest.mark.parametrize(
        ("words", "told"),
        [
            (["num_classes"], "has no '='"),
            (["=3"], "is not the name"),
            (["a-b=3"], "is not the name"),
            (["a=1", "a=2"], "given twice"),
            (["a={1,2}"], "is not a number"),
            (["a=" + "1," * 20_000], "too long"),
        ],
    )
    def test_complaints(self, words: list[str], told: str) -> None:
        with pytest.raises(UsageError) as caught:
            parse_arguments(words)
        assert told in caught.value.message
        assert len(caught.value.message) < 200

    @given(st.text(max_size=40))
    def test_any_text_is_a_value_or_a_usage_error(self, text: str) -> None:
        with suppress(UsageError):
            assert set(parse_arguments([f"key={text}"])) == {"key"}


class TestInputs:
    @pytest.mark.parametrize(
        ("text", "spec"),
        [
            ("32", InputSpec(None, (32,), None, square=32)),
            ("3x32x32", InputSpec(None, (3, 32, 32), None)),
            ("8x3x224x224", InputSpec(None, (8, 3, 224, 224), None)),
            ("8X3X224X224", InputSpec(None, (8, 3, 224, 224), None)),
            ("1x3x16x112x112", InputSpec(None, (1, 3, 16, 112, 112), None)),
            ("1x128", InputSpec(None, (1, 128), None)),
            ("1x128:int64", InputSpec(None, (1, 128), "int64")),
            ("1x128:torch.int64", InputSpec(None, (1, 128), "int64")),
            ("input_ids=1x128:int64", InputSpec("input_ids", (1, 128), "int64")),
            ("x=32", InputSpec("x", (32,), None)),
            ("x=3x32x32", InputSpec("x", (3, 32, 32), None)),
            ("32:float16", InputSpec(None, (32,), "float16")),
            ("1,3,224,224", InputSpec(None, (1, 3, 224, 224), None)),
            ("1, 3, 224, 224,", InputSpec(None, (1, 3, 224, 224), None)),
            ("1 x 3 x 8 x 8", InputSpec(None, (1, 3, 8, 8), None)),
            ("1 3 8 8", InputSpec(None, (1, 3, 8, 8), None)),
            ("(224)", InputSpec(None, (224,), None, square=224)),
            ("(1, 128):long", InputSpec(None, (1, 128), "int64")),
            ("x = 1x128 : long", InputSpec("x", (1, 128), "int64")),
            ("x=1x0", InputSpec("x", (1, 0), None)),
            ("0.5", InputSpec(None, (), None, value=Plain(0.5))),
            ("x=1e-5", InputSpec("x", (), None, value=Plain(1e-5))),
            ("x=-1", InputSpec("x", (), None, value=Plain(-1))),
            ("x=True", InputSpec("x", (), None, value=Plain(True))),
            ("NONE", InputSpec(None, (), None, value=Plain(None))),
            ("x=nearest-exact", InputSpec("x", (), None, value=Plain("nearest-exact"))),
            ("'a=b, c'", InputSpec(None, (), None, value=Plain("a=b, c"))),
            ("tensor([[1, 0]])", InputSpec(None, (), None, value=Sizes((1, 2), "int64", [[1, 0]]))),
            ("(7, 7)", InputSpec(None, (7, 7), None, value=Group("tuple", (Plain(7), Plain(7))))),
            ("x=[]", InputSpec("x", (), None, value=Group("list", ()))),
            (
                "x={a: 1x4:half, 'b c': [2, (1x2,)]}",
                InputSpec(
                    "x",
                    (),
                    None,
                    value=Group(
                        "dict",
                        (Sizes((1, 4), "float16"), Group("list", (Plain(2), Group("tuple", (Sizes((1, 2)),))))),
                        ("a", "b c"),
                    ),
                ),
            ),
        ],
    )
    def test_specifications(self, text: str, spec: InputSpec) -> None:
        assert parse_input(text) == spec

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("0", "0 is not a size"),
            ("-1", "-1 is not a size"),
            ("3x0x32", "0 is not a size"),
            ("3x", "lacks a number"),
            ("x", "lacks a number"),
            ("", "has no sizes"),
            ("x=", "has no sizes"),
            ("big", "'big' is not a whole number"),
            ("3x3.5", "'3.5' is not a whole number"),
            ("٣", "is not a whole number"),
            ("9" * 30, "larger than any dimension"),
            ("2147483647x2147483647x2147483647", "more than a tensor can hold"),
            ("1x" * 90 + "1", "dimensions"),
            ("1" * 201, "too long"),
            ("a-b=3", "is not the name"),
            ("1x128:int46", "unknown dtype 'int46'"),
            ("1x128:", "unknown dtype ''"),
            ("x=[1x4", "is not closed"),
            ("x={a}", "no key with its value"),
            ("x={a: 1, a: 2}", "a key comes twice"),
            ("x=[1x4]:long", "a dtype belongs to"),
            ("x=tensor([1, [2]])", "lists of equal lengths"),
            ("x=[f(3)]", "is no value"),
            ("x=" + "[" * 20 + "]" * 20, "nests deeper"),
            ("x='a", "cannot be read"),
            ("1x0", "0 is not a size"),
            ("[" * 20_000, "too long"),
        ],
    )
    def test_complaints(self, text: str, told: str) -> None:
        with pytest.raises(InputSpecError) as caught:
            parse_input(text)
        assert told in caught.value.message
        assert caught.value.remedy
        assert caught.value.exit_code == 2
        assert len(caught.value.message) < 250

    def test_a_near_dtype_is_named(self) -> None:
        with pytest.raises(InputSpecError) as caught:
            parse_input("4:int46")
        assert "int64" in caught.value.remedy

    @pytest.mark.parametrize(
        ("words", "dtype"),
        [
            (("long", "i64", "int64", "torch.long", "LONG"), "int64"),
            (("int", "i32", "torch.int32"), "int32"),
            (("half", "f16", "fp16", "float16"), "float16"),
            (("bf16", "bfloat16"), "bfloat16"),
            (("float", "f32", "fp32"), "float32"),
            (("double", "f64"), "float64"),
            (("bool", "boolean"), "bool"),
            (("byte", "u8"), "uint8"),
        ],
    )
    def test_dtypes_by_their_other_names(self, words: tuple[str, ...], dtype: str) -> None:
        assert {parse_input(f"1x4:{word}").dtype for word in words} == {dtype}

    @given(st.text(alphabet="x=[](){}:,'1a0.-t \"", max_size=16))
    def test_any_nesting_is_a_specification_or_an_input_error(self, text: str) -> None:
        with suppress(InputSpecError):
            assert parse_input(text).dtype is None or ":" in text

    @given(st.text(max_size=30))
    def test_any_text_is_a_specification_or_an_input_error(self, text: str) -> None:
        with suppress(InputSpecError):
            assert all(size > 0 for size in parse_input(text).shape)
