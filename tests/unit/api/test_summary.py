"""What a summary is in Python: looked up, iterated over, shown, taken away and saved. Values are hand arithmetic."""

import csv
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import archscope
from archscope.core.errors import ArchscopeError, MissingPackageError, UnknownLayerError, UnknownNameError, UsageError
from archscope.rendering import FORMATS


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.relu = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.relu(self.relu(self.conv(x)))


class Net(nn.Module):
    def __init__(self, classes: int = 5) -> None:
        super().__init__()
        self.block = Block()
        self.fc = nn.Linear(4, classes)

    def forward(self, x: torch.Tensor, *, mode: str = "mean", scale: float = 1.0) -> torch.Tensor:
        x = self.block(x)
        return self.fc((x.mean((2, 3)) if mode == "mean" else x.amax((2, 3))) * scale)


CONV_PARAMS, CONV_MACS = 4 * 3 * 9 + 4, 8 * 8 * 4 * 3 * 9
FC_PARAMS, FC_MACS = 4 * 5 + 5, 4 * 5
IMAGE = torch.zeros(1, 3, 8, 8)


@pytest.fixture(scope="module")
def summary() -> archscope.Summary:
    return archscope.trace(Net(), IMAGE)


class TestLookUp:
    def test_totals(self, summary: archscope.Summary) -> None:
        assert summary.params == CONV_PARAMS + FC_PARAMS == 137
        assert summary.macs == CONV_MACS + FC_MACS == 6932

    def test_a_layer_by_its_path(self, summary: archscope.Summary) -> None:
        layer = summary["block.conv"]
        assert (layer.path, layer.type, layer.depth, layer.leaf) == ("block.conv", "Conv2d", 2, True)
        assert (layer.input_shape, layer.output_shape) == ((1, 3, 8, 8), (1, 4, 8, 8))
        assert (layer.params, layer.trainable_params, layer.macs) == (CONV_PARAMS, CONV_PARAMS, CONV_MACS)
        assert layer.settings["kernel_size"] == (3, 3)
        assert layer.source.startswith(__file__)
        assert repr(layer) == "<block.conv: Conv2d -> 1x4x8x8, 112 params, 6,912 MACs>"

    def test_the_second_call_and_the_model_itself(self, summary: archscope.Summary) -> None:
        assert summary["block.relu#2"].call.call == 1
        assert summary["block.relu#1"] == summary["block.relu"]
        assert summary[""].type == "Net"

    @pytest.mark.parametrize("name", ["block.covn", "block.relu#3", "block.relu#0", "#", "block.conv#x"])
    def test_an_unknown_layer_is_a_key_error_with_the_nearest(self, summary: archscope.Summary, name: str) -> None:
        with pytest.raises(KeyError) as caught:
            summary[name]
        assert isinstance(caught.value, (UnknownLayerError, UnknownNameError))
        assert str(caught.value).splitlines()[0] == f"unknown layer {name!r}"
        assert "fc" in summary
        assert name not in summary
        assert 3 not in summary

    def test_the_nearest_layer_is_named(self, summary: archscope.Summary) -> None:
        with pytest.raises(UnknownLayerError) as caught:
            summary["block.covn"]
        assert caught.value.remedy.startswith("did you mean block.conv")

    def test_layers_are_in_the_order_of_execution(self, summary: archscope.Summary) -> None:
        paths = [layer.path for layer in summary.layers]
        assert paths == ["", "block", "block.conv", "block.relu", "block.relu", "fc"]
        assert sum(layer.macs or 0 for layer in summary.layers if layer.leaf) == summary.macs

    def test_children_and_operations_of_a_layer(self, summary: archscope.Summary) -> None:
        trace = summary.trace
        assert [child.path for child in trace.list_children(trace["block"])] == [
            "block.conv",
            "block.relu",
            "block.relu",
        ]
        assert [op.name for op in trace.list_ops(trace["block"])] == ["aten.convolution", "aten.relu", "aten.relu"]
        assert trace.list_own_ops(trace["block"]) == ()
        assert {op.name for op in trace.list_own_ops(trace.root)} >= {"aten.mean"}


class TestRecords:
    def test_they_are_flat_plain_data(self, summary: archscope.Summary) -> None:
        records = summary.to_records()
        assert len(records) == len(summary.layers) == 6
        record = records[2]
        assert record["path"] == "block.conv"
        assert record["output_shape"] == (1, 4, 8, 8)
        assert record["output_bytes"] == record["activation_bytes"] == 4 * 8 * 8 * 4
        assert records[0]["activation_bytes"] == summary.activation_bytes == 3 * 4 * 8 * 8 * 4 + 5 * 4
        json.dumps(records)

    def test_pandas_is_optional(self, summary: archscope.Summary, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "pandas", None)
        with pytest.raises(MissingPackageError, match="pandas"):
            summary.to_dataframe()

    def test_a_data_frame_has_a_row_for_each_call(self, summary: archscope.Summary) -> None:
        pytest.importorskip("pandas", reason="pandas is not installed")
        frame = summary.to_dataframe()
        assert list(frame["path"]) == [layer.path for layer in summary.layers]
        assert int(frame.loc[2, "macs"]) == CONV_MACS


class TestShown:
    def test_the_representation_is_a_short_head_with_the_totals(self) -> None:
        text = repr(archscope.trace("resnet18"))
        lines = text.splitlines()
        assert len(text) < 2000
        assert lines[0].startswith("resnet18")
        assert sum(line.startswith("|- ") for line in lines) == 7
        assert "more layer calls" in text
        assert lines[-1].startswith("11.69 M parameters")

    def test_a_small_model_is_shown_whole(self) -> None:
        text = repr(archscope.trace(nn.Linear(4, 2), torch.zeros(1, 4)))
        assert "more layer calls" not in text
        assert text.splitlines()[-1].startswith("10 parameters")

    def test_a_notebook_shows_a_light_table(self, summary: archscope.Summary) -> None:
        page = summary._repr_html_()
        assert page.count("<table") == page.count("</table>") == 1
        assert "<script" not in page
        assert "http" not in page
        assert "block" in page
        assert "6,912" in page

    def test_texts_in_a_notebook_are_escaped(self) -> None:
        hostile = type("<b>Net</b>", (nn.Linear,), {})
        page = archscope.trace(hostile(2, 2), torch.zeros(1, 2))._repr_html_()
        assert "<b>" not in page
        assert "&lt;b&gt;Net" in page

    def test_show_prints_the_tree(self, summary: archscope.Summary, capsys: pytest.CaptureFixture[str]) -> None:
        summary.show(depth=1)
        out = capsys.readouterr().out
        assert "block" in out
        assert "Conv2d" not in out
        assert "Conv2d" in str(summary)


class TestSaved:
    def test_what_is_loaded_is_what_was_saved(self, summary: archscope.Summary, tmp_path: Path) -> None:
        path = tmp_path / "net.json"
        summary.save(path)
        loaded = archscope.load(path)
        assert loaded.trace == summary.trace
        assert loaded.costs == summary.costs
        assert archscope.trace(str(path)).params == 137

    def test_an_older_file_tells_the_activation_memory_too(self, summary: archscope.Summary, tmp_path: Path) -> None:
        """Saved before there was such a key, with operations or without."""
        for ops in (True, False):
            document = summary.to_dict(ops=ops)
            for entry in (document["totals"], *document["layers"]):
                del entry["activation_bytes"]
            (tmp_path / "old.json").write_text(json.dumps(document))
            assert archscope.load(tmp_path / "old.json").activation_bytes == summary.activation_bytes

    def test_without_operations_the_layers_are_there(self, summary: archscope.Summary, tmp_path: Path) -> None:
        path = tmp_path / "net.json"
        summary.save(path, ops=False)
        assert archscope.load(path)["fc"].macs == FC_MACS
        assert archscope.load(path).trace.ops == ()

    @pytest.mark.parametrize(
        ("suffix", "word"),
        [("csv", "csv"), ("CSV", "csv"), ("md", "md"), ("markdown", "md"), ("tex", "tex"), ("txt", "plain")],
    )
    def test_the_suffix_picks_the_format(self, tmp_path: Path, suffix: str, word: str) -> None:
        """Of every report, and for every suffix that the command knows."""
        assert {suffix.removeprefix(".") for entry in FORMATS for suffix in entry.suffixes} == {
            "csv", "md", "markdown", "tex", "txt", "json",
        }  # fmt: skip
        net = Net()
        for report in (
            archscope.trace(net, IMAGE),
            archscope.table(net, inputs="8"),
            archscope.explain(net, "block.conv", inputs="8"),
            archscope.explain(net, inputs="8"),
            archscope.budget(net, max_params=1000, inputs="8"),
            archscope.list_models("vgg11"),
        ):
            path = tmp_path / f"net.{suffix}"
            report.save(str(path))
            assert path.read_text(encoding="utf-8") == report.render(word)

    def test_a_csv_file_is_read_as_one(self, summary: archscope.Summary, tmp_path: Path) -> None:
        summary.save(tmp_path / "net.csv")
        with open(tmp_path / "net.csv", encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        assert [row["layer"] for row in rows] == [
            "", "block", "block.conv", "block.relu", "block.relu (call 2)", "fc",
        ]  # fmt: skip
        assert [row["leaf"] for row in rows] == ["False", "False", "True", "True", "True", "True"]
        assert [row["memory"] for row in rows] == ["3092", "3072", "1024", "1024", "1024", "20"]  # 4*8*8*4 and 5*4
        assert len(rows) == len(summary.layers)

    def test_a_link_stays_a_link(self, summary: archscope.Summary, tmp_path: Path) -> None:
        (tmp_path / "link.csv").symlink_to(tmp_path / "net.csv")
        summary.save(tmp_path / "link.csv")
        assert (tmp_path / "link.csv").is_symlink()

    def test_a_suffix_that_is_none_is_refused(self, summary: archscope.Summary, tmp_path: Path) -> None:
        with pytest.raises(UnknownNameError):
            summary.save(tmp_path / "net.doc")
        assert list(tmp_path.iterdir()) == []


class TestKeywords:
    """One call reaches constructor, mode and training flag, and a keyword on the wrong side works or is named."""

    def test_a_constructor_argument_of_a_name(self) -> None:
        plain, small = archscope.trace("resnet18"), archscope.trace("resnet18", num_classes=10)
        assert plain.params - small.params == 990 * (512 + 1)
        assert archscope.trace("resnet18", arguments={"num_classes": 10}).params == small.params
        assert dict(small.trace.arguments) == {"num_classes": 10}

    def test_a_constructor_argument_of_a_file(self, tmp_path: Path) -> None:
        path = tmp_path / "net.py"
        path.write_text(
            "from torch import nn\nclass Net(nn.Module):\n"
            "    def __init__(self, width):\n        super().__init__()\n        self.fc = nn.Linear(4, width)\n"
            "    def forward(self, x, scale=1):\n        return self.fc(x) * scale\n"
        )
        summary = archscope.trace(f"{path}:Net", torch.zeros(1, 4), width=7, scale=2)
        assert summary.params == 4 * 7 + 7

    def test_flags_and_modes_of_a_name(self) -> None:
        summary = archscope.trace("resnet18", training=True, mode="fake", inputs="64")
        assert (summary.trace.training, summary.trace.mode) == (True, "fake")
        assert summary.trace.inputs[0].shape == (1, 3, 64, 64)

    def test_inputs_in_words_of_a_module(self) -> None:
        assert archscope.trace(Net(), inputs="8").macs == CONV_MACS + FC_MACS
        assert archscope.trace(nn.Embedding(9, 4), inputs=["1x3:int64"])[""].output_shape == (1, 3, 4)

    def test_a_module_keeps_its_flags_unless_asked(self) -> None:
        net = Net()
        net.block.eval()
        assert archscope.trace(net, IMAGE).trace.training is True
        assert archscope.trace(net, IMAGE, training=False).trace.training is False
        assert [net.training, net.block.training] == [True, False]

    def test_what_forward_names_is_forwards(self) -> None:
        summary = archscope.trace(Net(), IMAGE, mode="max", scale=2.0)
        assert summary.trace.mode == "meta"
        assert "aten.amax" in {op.name for op in summary.trace.ops}

    @pytest.mark.parametrize(
        ("call", "told"),
        [
            (
                lambda: archscope.trace("resnet18", nm_classes=10),
                "neither the constructor nor the forward pass of ResNet takes an argument 'nm_classes'",
            ),
            (lambda: archscope.trace(Net(), IMAGE, num_classes=10), "takes no argument 'num_classes'"),
            (lambda: archscope.trace(Net(), IMAGE, arguments={"classes": 3}), "built already"),
            (lambda: archscope.trace(Net, IMAGE), "the class Net cannot be traced"),
            (lambda: archscope.trace(3, IMAGE), "an int (3) cannot be traced"),
        ],
    )
    def test_a_keyword_that_nobody_takes_is_named(self, call: Any, told: str) -> None:
        with pytest.raises(UsageError, match=re.escape(told)):
            call()

    def test_a_forward_that_raises_is_still_a_forward_error(self) -> None:
        with pytest.raises(archscope.ForwardError) as caught:
            archscope.trace(Net(), torch.zeros(1, 4, 8, 8))
        assert caught.value.summary.trace.failure.path == "block.conv"
        assert isinstance(caught.value, ArchscopeError)
