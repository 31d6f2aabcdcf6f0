"""`archscope explain`, `table` of families and `--receptive` as people call them."""

import csv
import json
import os
import re
import subprocess
import sys
from io import StringIO
from pathlib import Path

import jsonschema
import pytest

import archscope
from archscope.cli.app import main
from archscope.core.documents import load_schema

Capture = pytest.CaptureFixture[str]


def run(capsys: Capture, *words: str, code: int = 0) -> str:
    assert main(words) == code
    return capsys.readouterr().out


def read_csv(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(text)))


class TestExplain:
    def test_a_layer(self, capsys: Capture) -> None:
        text = " ".join(run(capsys, "explain", "alexnet", "conv1").split())
        assert "floor((227 + 2*0 - 11) / 4) + 1 = 55 216 / 4 = 54, nothing dropped" in text
        assert "96 * (3 * 11 * 11) + 96 = 34,944" in text

    def test_a_stack(self, capsys: Capture) -> None:
        text = run(capsys, "explain", "vgg16", "features.24:features.28")
        assert "81 % more" in text
        assert "7 x 7" in text

    def test_json_keeps_to_its_schema(self, capsys: Capture) -> None:
        for words in (
            ["alexnet", "conv1"],
            ["googlenet", "inception_3a"],
            ["vgg16", "conv11:conv13"],
            ["resnet20", "--all"],
        ):
            document = json.loads(run(capsys, "explain", *words, "--format", "json"))
            jsonschema.validate(document, load_schema("explain"))
        assert len(document["explanations"]) > 50

    def test_the_handout(self, capsys: Capture, tmp_path: Path) -> None:
        path = tmp_path / "notes.md"
        assert run(capsys, "explain", "alexnet", "--all", "-o", str(path)) == ""
        text = path.read_text(encoding="utf-8")
        assert text.startswith("# AlexNet, one tower")
        assert text.count("\n### ") == 22
        assert "### conv1: Conv2d(3 -> 96, kernel 11x11, stride 4, padding 0)" in text
        assert run(capsys, "explain", "alexnet", "--all") == text
        rows = read_csv(run(capsys, "explain", "alexnet", "--all", "--format", "csv"))
        assert {
            "layer": "fc8",
            "quantity": "MACs",
            "arithmetic": "4096 * 1000",
            "result": "4096000",
            "remark": "",
        } in rows
        assert "fc8: Linear(4096 -> 1000)" in run(capsys, "explain", "alexnet", "--all", "--format", "plain")

    @pytest.mark.parametrize("word", ["md", "tex", "csv", "plain", "table"])
    def test_every_format(self, capsys: Capture, word: str) -> None:
        assert "34,944" in run(capsys, "explain", "alexnet", "conv1", "--format", word).replace("34944", "34,944")

    @pytest.mark.parametrize(
        ("words", "told"),
        [
            (["alexnet", "conv9"], "did you mean conv5"),
            (["vgg16", "features.24:features.99"], "unknown layer 'features.99'"),
            (["alexnet"], "name a layer"),
            (["alexnet", "conv1", "--all"], "name a layer"),
            (["alexnett", "conv1"], "did you mean alexnet"),
        ],
    )
    def test_mistakes_exit_with_2(self, capsys: Capture, words: list[str], told: str) -> None:
        assert main(["explain", *words]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert told in err

    def test_what_came_before_a_failure_is_explained(self, capsys: Capture) -> None:
        assert main(["explain", "alexnet", "conv1", "--input", "32"]) == 3
        out, err = capsys.readouterr()
        assert "floor((32 + 2*0 - 11) / 4) + 1" in out
        assert "error:" in err

    def test_a_saved_trace_is_explained_without_torch(self, capsys: Capture, tmp_path: Path) -> None:
        path = tmp_path / "x.json"
        run(capsys, "trace", "resnet18", "--ops", "-o", str(path))
        asked = run(capsys, "explain", "resnet18", "layer1.0")
        words = ["explain", str(path), "layer1.0"]
        code = f"import sys; sys.modules['torch'] = None\nfrom archscope.cli.app import main\nmain({words!r})"
        environment = os.environ | {"PYTHONPATH": str(Path(archscope.__file__).parents[1]), "PYTHONIOENCODING": "utf-8"}
        done = subprocess.run(
            [sys.executable, "-P", "-c", code],
            env=environment,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )
        assert done.stderr == ""
        assert done.stdout == asked
        run(capsys, "trace", "resnet18", "-o", str(path))
        assert main(["explain", str(path), "conv1"]) == 2
        assert "--ops" in capsys.readouterr().err


class TestFamilies:
    def test_one_column_per_configuration_in_csv(self, capsys: Capture) -> None:
        rows = read_csv(run(capsys, "table", "vgg", "--format", "csv"))
        assert list(rows[0]) == ["row", "A", "A-LRN", "B", "C", "D", "E", "marks"]
        assert [row["C"] for row in rows if row["row"] == "conv3"] == ["conv3-256", "conv3-256", "conv1-256", ""]
        rows = read_csv(run(capsys, "table", "resnet", "--format", "csv"))
        assert [key for key in rows[0] if key.endswith("-layer")] == [
            "18-layer", "34-layer", "50-layer", "101-layer", "152-layer",
        ]  # fmt: skip
        assert rows[-1]["50-layer"] == "3857973248"

    def test_rows_carry_the_marks_of_their_cells(self, capsys: Capture) -> None:
        # Table 1 of GoogLeNet prints 2.7K and 34M for a 7x7 convolution of 7*7*3*64 = 9,408 weights; 159K for 159.5K.
        for rows in (
            read_csv(run(capsys, "table", "googlenet", "--format", "csv")),
            json.loads(run(capsys, "table", "googlenet", "--format", "json"))["rows"],
        ):
            marks = {row["type"]: row["marks"] for row in rows}
            assert marks["convolution"] == "agrees"  # the second one
            assert rows[0]["marks"] == "params: wrong [1]; ops: wrong [1]"
            assert marks["inception (3a)"] == "params: rounded [2]"
            assert marks["inception (3b)"] == "params: convention [3]"
        rows = read_csv(run(capsys, "table", "resnet", "--format", "csv"))
        assert rows[-1]["marks"] == "34-layer: rounded [1]; 50-layer: rounded [2]"
        assert {row["marks"] for row in read_csv(run(capsys, "table", "vgg", "--format", "csv"))} == {"agrees", ""}
        rows = read_csv(run(capsys, "table", "ilsvrc", "--format", "csv"))
        assert [row["marks"] for row in rows if row["year"] == "2012"] == ["chart: differs [1]; lecture: differs [1]"]

    @pytest.mark.parametrize("name", ["vgg", "resnet", "resnet-cifar", "googlenet", "ilsvrc"])
    def test_every_footnote_of_the_text_is_a_mark_of_its_row(self, capsys: Capture, name: str) -> None:
        shown = run(capsys, "table", name).split("\n\n")[1]
        rows = read_csv(run(capsys, "table", name, "--format", "csv"))
        marked = [number for row in rows for number in re.findall(r"\[(\d+)\]", row["marks"])]
        in_cells = re.findall(r"\[(\d+)\]", shown)
        assert set(marked) <= set(in_cells)
        assert name == "ilsvrc" or sorted(marked) == sorted(in_cells)

    def test_json_keeps_to_the_schema_of_tables(self, capsys: Capture) -> None:
        for name in ("vgg", "googlenet", "ilsvrc"):
            jsonschema.validate(json.loads(run(capsys, "table", name, "--format", "json")), load_schema("table"))

    def test_one_model_where_an_option_asks_for_it(self, capsys: Capture) -> None:
        assert "[224x224x3] INPUT" in run(capsys, "table", "googlenet", "--style", "cs231n")
        assert "MAX POOL1" in run(capsys, "table", "vgg", "--arg", "cfg=64,M,128,M")
        assert "conv3-64" in run(capsys, "table", "VGG", "--style", "paper")

    @pytest.mark.parametrize(
        ("words", "told"),
        [
            (["googlenet", "--style", "cs23n"], "did you mean cs231n"),
            (["alexnet", "--style", "paper"], "--style paper is for vgg, resnet"),
            (["googlenet", "--style", "paper", "--input", "32"], "--style paper is for"),
            (["resnet", "--style", "cs231n"], "unknown model 'resnet'"),
        ],
    )
    def test_styles_that_do_not_fit(self, capsys: Capture, words: list[str], told: str) -> None:
        assert main(["table", *words]) == 2
        assert told in capsys.readouterr().err

    def test_a_narrow_terminal_gets_the_narrow_form(self, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
        from archscope.cli import output
        from archscope.rendering import RenderOptions

        monkeypatch.setattr(output, "describe_stdout", lambda: RenderOptions(width=80))
        for name in ("resnet", "googlenet", "ilsvrc", "vgg", "resnet-cifar"):
            text = run(capsys, "table", name)
            assert max(map(len, text.splitlines())) <= 80
        assert max(map(len, run(capsys, "explain", "alexnet", ".").splitlines())) <= 80


class TestReceptive:
    def test_columns_of_a_trace_and_a_table(self, capsys: Capture) -> None:
        rows = read_csv(run(capsys, "trace", "resnet18", "--receptive", "--depth", "1", "--format", "csv"))
        layer4 = next(row for row in rows if row["layer"] == "layer4")
        assert (layer4["receptive"], layer4["jump"], layer4["centre"]) == ("435", "32", "0")
        rows = read_csv(run(capsys, "table", "alexnet", "--receptive", "--format", "csv"))
        assert [(row["receptive"], row["jump"]) for row in rows][:4] == [
            ("", ""),
            ("11", "4"),
            ("19", "8"),
            ("19", "8"),
        ]
        assert rows[-2]["receptive"] == "whole"

    def test_identical_blocks_stand_apart(self, capsys: Capture) -> None:
        rows = read_csv(run(capsys, "trace", "resnet18", "--receptive", "--depth", "2", "--format", "csv"))
        assert [row["receptive"] for row in rows if row["layer"].startswith("layer1.")] == ["27", "43"]

    def test_json(self, capsys: Capture) -> None:
        document = json.loads(run(capsys, "trace", "alexnet", "--receptive", "--format", "json"))
        jsonschema.validate(document, load_schema("trace"))
        conv1 = next(layer for layer in document["layers"] if layer["path"] == "conv1")
        assert conv1["receptive"] == [{"kind": "extent", "size": 11, "jump": 4, "start": 0, "centre": 5}] * 2

    def test_other_models(self, capsys: Capture) -> None:
        rows = read_csv(run(capsys, "trace", "vgg16", "--receptive", "--filter", "MaxPool2d", "--format", "csv"))
        assert [row["receptive"] for row in rows] == ["6", "16", "44", "100", "212"]
        text = run(capsys, "trace", "resnet20", "--receptive", "--ops", "--depth", "3")
        assert "field" in text
