"""Saved traces: the contract, the way back, and what is said of documents that are none."""

import json
from dataclasses import replace
from typing import Any

import jsonschema
import pytest

from archscope.core.codec import decode, encode, format_document
from archscope.core.cost import CostReport
from archscope.core.documents import list_schemas, load_schema
from archscope.core.documents.trace import TraceDocument
from archscope.core.errors import DataError, UnknownNameError
from archscope.core.files import format_json
from archscope.core.saved import build_trace_document, read_costs, read_trace
from archscope.core.trace import Trace

CONTRACT = [
    "schema", "archscope", "torch", "target", "arguments", "mode", "training", "forward_complete", "counts_complete",
    "inputs", "outputs", "totals", "layers", "uncounted", "never_called", "failure",
]  # fmt: skip
LAYER_CONTRACT = [
    "id", "parent", "path", "type", "call", "depth", "leaf", "inputs", "outputs", "params", "own_params",
    "trainable_params", "buffers", "macs", "own_macs", "shared_with", "settings", "source",
]  # fmt: skip


TENSOR = {"key": "", "shape": [1], "dtype": "int8"}
STATE = {"path": "", "value": 0, "shape": [], "dtype": "", "kind": "buffer", "trainable": False}
SCHEMAS = ("against", "bench", "budget", "counters", "explain", "findings", "fit", "table", "trace", "train", "verify")


def validate(document: Any) -> None:
    schema = load_schema("trace")
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(document)


def save(trace: Trace, costs: CostReport, *, ops: bool = False) -> Any:
    """What a program reads in the file."""
    document = build_trace_document(trace, costs, ops=ops)
    text = format_document(document)
    assert text.isascii()
    assert encode(document) == json.loads(text)
    return json.loads(text)


def load(document: Any) -> tuple[Trace, CostReport]:
    """What was saved."""
    saved = decode(document, TraceDocument)
    return read_trace(saved), read_costs(saved)


@pytest.fixture
def failed(handmade: Any) -> tuple[Trace, CostReport]:
    net = handmade((1, 3, 4, 4), target="파일.py:Net")
    net.enter("", "Net", 0)
    x = net.convolve("conv", 0, 2, 4, padding=1)
    net.enter("fc", "Linear", x, in_features=7)
    net.fail("mat1 and mat2 shapes cannot be multiplied", expected="7 features", got="32", remedies=("in_features=32",))
    trace, costs = net.build(notes=("a note",), arguments=(("cfg", (64, "M", None)), ("p", float("inf"))))
    return trace, costs


class TestContract:
    def test_the_keys_come_in_the_order_of_the_contract(self, chain: Any) -> None:
        document = save(*chain)
        assert list(document)[: len(CONTRACT)] == CONTRACT
        assert list(document["layers"][1])[: len(LAYER_CONTRACT)] == LAYER_CONTRACT
        assert document["schema"] == "archscope.trace/1"

    def test_totals_are_exact(self, chain: Any) -> None:
        totals = save(*chain)["totals"]
        assert totals["params"] == 8 * 3 * 3 * 3 + 16 * 4 * 3 * 3 + 64 * 10 + 10
        assert totals["macs"] == 8 * 8 * 8 * 27 + 16 * 4 * 4 * 36 + 640
        assert totals["flops"] == 2 * totals["macs"]
        assert totals["param_bytes"] == 4 * totals["params"]
        assert "exact" not in totals

    def test_numbers_above_2_to_the_53_are_given_as_strings_too(self, chain: Any) -> None:
        trace, costs = chain
        huge = 2**53 + 1
        document = save(trace, replace(costs, macs=huge, counted_macs=huge))
        assert document["totals"]["exact"] == {
            "macs": str(huge),
            "flops": str(2 * huge),
            "counted_macs": str(huge),
        }
        validate(document)

    def test_the_root_comes_first_and_tensors_keep_their_keys(self, chain: Any) -> None:
        document = save(*chain)
        root = document["layers"][0]
        assert (root["id"], root["parent"], root["path"], root["depth"]) == (0, None, "", 0)
        assert document["inputs"] == [{"key": "x", "shape": [1, 3, 8, 8], "dtype": "float32"}]
        assert document["layers"][1]["source"] == {
            "file": "net.py", "line": 2, "end_line": 2, "column": 9, "end_column": 20, "function": "forward",
        }  # fmt: skip

    def test_what_is_unknown_is_null_and_named(self, handmade: Any) -> None:
        net = handmade((1, 4))
        net.enter("", "Net", 0)
        x = net.run("aten.foo", [0], (1, 4), None)
        net.leave(x)
        document = save(*net.build(x))
        assert document["totals"]["macs"] is None
        assert document["totals"]["flops"] is None
        assert document["counts_complete"] is False
        assert document["uncounted"] == [{"op": "aten.foo", "layers": [0], "calls": 1, "reason": "no formula"}]
        validate(document)

    def test_a_failure_is_told(self, failed: Any) -> None:
        document = save(*failed)
        assert document["forward_complete"] is False
        assert document["failure"]["path"] == "fc"
        assert document["failure"]["layer"] == 2
        assert document["failure"]["remedies"] == ["in_features=32"]
        assert document["failure"]["source"]["line"] == 3
        validate(document)

    @pytest.mark.parametrize("ops", [False, True])
    def test_the_schema_accepts_it(self, residual: Any, *, ops: bool) -> None:
        validate(save(*residual, ops=ops))

    def test_the_schema_rejects_what_is_none(self, chain: Any) -> None:
        document = save(*chain)
        del document["totals"]["params"]
        with pytest.raises(jsonschema.ValidationError):
            validate(document)


class TestRoundTrip:
    @pytest.mark.parametrize("name", ["chain", "residual", "failed"])
    def test_with_operations_everything_comes_back(self, name: str, request: pytest.FixtureRequest) -> None:
        trace, costs = request.getfixturevalue(name)
        document = save(trace, costs, ops=True)
        assert load(document) == (trace, costs)

    def test_without_operations_the_layers_and_costs_come_back(self, chain: Any) -> None:
        trace, costs = chain
        document = save(trace, costs)
        restored, restored_costs = load(document)
        assert restored.ops == ()
        assert [layer.path for layer in restored.layers] == [layer.path for layer in trace.layers]
        assert [layer.settings for layer in restored.layers] == [layer.settings for layer in trace.layers]
        assert restored.totals == trace.totals
        assert restored_costs == replace(costs, ops=())

    def test_unknown_keys_are_ignored(self, chain: Any) -> None:
        trace, costs = chain
        document = save(trace, costs, ops=True) | {"later": 1}
        document["layers"][0]["later"] = 2
        assert load(document) == (trace, costs)


class TestComplaints:
    def test_operations_that_are_needed_and_missing(self, chain: Any) -> None:
        with pytest.raises(DataError) as caught:
            load(save(*chain))[0].check_ops()
        assert "without its operations" in caught.value.message
        assert "--ops" in caught.value.remedy

    @pytest.mark.parametrize("document", [[], {}, {"schema": "archscope.trace/2"}, {"schema": "archscope.trace/1"}])
    def test_what_is_no_saved_trace(self, document: Any) -> None:
        with pytest.raises(DataError):
            load(document)

    @pytest.mark.parametrize(
        ("key", "value", "place"),
        [
            ("mode", "cuda", "mode: 'cuda' is not one of fake, meta, real"),
            ("training", 1, "training: expected true or false, found a whole number"),
            ("target", None, "target: expected a string, found null"),
            ("layers", [], "layers: expected a list of length >= 1"),
            ("layers", 3, "layers: expected a list, found a whole number"),
            ("totals", {}, "totals has no 'params'"),
            ("arguments", {"x": {"y": 1}}, "arguments: {'y': 1} is not a setting"),
            ("arguments", 3, "arguments: expected an object"),
            ("never_called", [1], "never_called[0]: expected a string, found a whole number"),
            ("inputs", [3], "inputs[0]: expected an object, found a whole number"),
            (
                "inputs",
                [{"key": "", "shape": [True], "dtype": "int8"}],
                "inputs[0].shape[0]: expected a whole number, found",
            ),
            (
                "inputs",
                [{"key": "", "shape": [-1], "dtype": "int8"}],
                "inputs[0].shape[0]: expected a whole number >= 0",
            ),
            (
                "state",
                [{"kind": "weight", "path": "", "value": 0, "shape": [], "dtype": ""}],
                "state[0].kind: 'weight' is not one of",
            ),
        ],
    )
    def test_malformed_documents_say_where(self, chain: Any, key: str, value: Any, place: str) -> None:
        document = save(*chain, ops=True) | {key: value}
        with pytest.raises(DataError) as caught:
            load(document)
        assert place in caught.value.message

    def test_layers_out_of_order(self, chain: Any) -> None:
        document = save(*chain, ops=True)
        document["layers"][2]["parent"] = 5
        with pytest.raises(DataError, match="no pre-order"):
            load(document)


class TestSchemas:
    def test_every_schema_is_one(self) -> None:
        assert list_schemas() == SCHEMAS
        for name in list_schemas():
            jsonschema.Draft202012Validator.check_schema(load_schema(name))

    def test_an_unknown_name(self) -> None:
        with pytest.raises(UnknownNameError) as caught:
            load_schema("trce")
        assert caught.value.suggestions == ("trace",)

    def test_names_are_no_paths(self) -> None:
        with pytest.raises(UnknownNameError):
            load_schema("../schemas/trace")


class TestJsonText:
    def test_one_line_per_entry(self) -> None:
        text = format_json({"a": 1, "b": [{"c": 1}, {"c": 2}], "d": [], "e": "·"})
        lines = ["{", '  "a": 1,', '  "b": [', '    {"c": 1},', '    {"c": 2}', "  ],", '  "d": [],']
        assert text.splitlines() == [*lines, '  "e": "\\u00b7"', "}"]
        assert json.loads(format_json({})) == {}

    def test_numbers_that_json_lacks_are_refused(self) -> None:
        with pytest.raises(ValueError, match="JSON"):
            format_json({"a": float("nan")})
