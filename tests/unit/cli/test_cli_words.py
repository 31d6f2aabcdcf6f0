"""What the commands accept, and what they say: in-process, on traces made by hand."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from archscope.api import ForwardError, Summary
from archscope.cli.app import app, main
from archscope.cli.failures import print_error
from archscope.core.documents import list_schemas
from archscope.core.errors import UnknownNameError
from archscope.version import __version__


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, chain: Any) -> list[Any]:
    """What was asked of the tracer, which answers every target with the chain."""
    calls: list[Any] = []
    trace, costs = chain

    def trace_target(target: str, options: Any) -> Summary:
        calls.append((target, options))
        if target == "nothing":
            raise UnknownNameError("model", target, ["something", "anything"], "archscope models lists them")
        return Summary(trace, costs, "A chain")

    monkeypatch.setattr("archscope.api.calls.trace_target", trace_target)
    return calls


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch, handmade: Any) -> Summary:
    net = handmade((1, 3, 4, 4), target="net")
    net.enter("", "Net", 0)
    x = net.convolve("conv", 0, 2, 4, padding=1)
    net.enter("fc", "Linear", x, in_features=7)
    net.fail("mat1 and mat2 shapes cannot be multiplied")
    trace, costs = net.build()
    summary = Summary(trace, costs, "A net")
    failure = summary.trace.failure
    assert failure

    def trace_target(target: str, options: Any) -> Summary:
        raise ForwardError(summary, failure, "the smallest square that works is 8x8")

    monkeypatch.setattr("archscope.api.calls.trace_target", trace_target)
    return summary


class TestTrace:
    def test_a_tree(self, asked: Any, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["trace", "net"]) == 0
        out, err = capsys.readouterr()
        assert out.startswith("A chain")
        assert "└ fc" in out
        assert err == ""

    def test_the_words_reach_the_tracer(self, asked: Any) -> None:
        words = [
            "trace",
            "net",
            "--input",
            "x=1x4:int64",
            "--input",
            "32",
            "--arg",
            "cfg=64,M",
            "--train",
            "--mode",
            "fake",
        ]
        assert main(words) == 0
        ((target, options),) = asked
        assert target == "net"
        assert options.arguments == {"cfg": [64, "M"]}
        assert [(spec.name, spec.shape, spec.dtype) for spec in options.inputs] == [
            ("x", (1, 4), "int64"),
            (None, (32,), None),
        ]
        assert (options.train, options.mode) == (True, "fake")
        assert main(["trace", "net"]) == 0
        assert (asked[1][1].train, asked[1][1].mode) == (None, None)

    @pytest.mark.parametrize(
        ("words", "names"),
        [
            (["--depth", "0"], ["chain"]),
            (["--top", "2"], ["conv1", "conv2"]),
            (["--filter", "conv*", "--sort", "params"], ["conv2", "conv1"]),
            (["--ops", "--no-fold"], ["chain", "conv1", "relu1", "conv2", "pool", "flatten", "fc"]),
        ],
    )
    def test_what_is_shown(
        self, asked: Any, capsys: pytest.CaptureFixture[str], words: list[str], names: list[str]
    ) -> None:
        assert main(["trace", "net", "--format", "plain", *words]) == 0
        lines = capsys.readouterr().out.splitlines()
        rows = lines[lines.index("") + 3 : lines.index("", 2)]
        assert [row.replace("|- ", "").replace("`- ", "").split()[0] for row in rows] == names

    def test_json_is_the_document_and_a_selection_is_a_table(
        self, asked: Any, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["trace", "net", "--format", "json"]) == 0
        document = json.loads(capsys.readouterr().out)
        assert document["schema"] == "archscope.trace/1"
        assert "ops" not in document
        assert main(["trace", "net", "--format", "json", "--ops"]) == 0
        assert len(json.loads(capsys.readouterr().out)["ops"]) == 6
        assert main(["trace", "net", "--format", "json", "--top", "1"]) == 0
        document = json.loads(capsys.readouterr().out)
        assert document["schema"] == "archscope.table/1"
        assert [row["layer"] for row in document["rows"]] == ["conv1"]

    def test_a_failed_pass_shows_what_it_reached_and_exits_with_3(
        self, failing: Summary, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["trace", "net"]) == 3
        out, err = capsys.readouterr()
        assert "└ fc    Linear" in out
        assert "✗ failed" in out
        assert err.splitlines() == [
            "error: fc (Linear) failed on 1x2x4x4: mat1 and mat2 shapes cannot be multiplied",
            "  the smallest square that works is 8x8",
        ]
        assert main(["trace", "net", "--format", "json"]) == 3
        assert json.loads(capsys.readouterr().out)["failure"]["path"] == "fc"
        assert main(["table", "net"]) == 3
        assert "CONV1" in capsys.readouterr().out


class TestTable:
    def test_the_lecture_s_form(self, asked: Any, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["table", "net"]) == 0
        assert "[8x8x8] CONV1: 8 3x3 filters at stride 1, pad 1" in capsys.readouterr().out

    @pytest.mark.parametrize("ops", [True, False])
    def test_a_saved_trace_is_read_without_tracing(
        self, asked: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], *, ops: bool
    ) -> None:
        path = tmp_path / "net.json"
        assert main(["trace", "net", "-o", str(path), *(["--ops"] if ops else [])]) == 0
        asked.clear()
        assert main(["trace", str(path)]) == 0
        assert "23,680" in capsys.readouterr().out
        assert main(["table", str(path)]) == (0 if ops else 2)
        out, err = capsys.readouterr()
        assert ("FC3: 10 neurons" in out) == ops
        assert ("without its operations" in err) == (not ops)
        assert main(["table", str(path), "--input", "32"]) == 2
        assert "is a saved trace" in capsys.readouterr().err
        assert asked == []

    @pytest.mark.parametrize(
        ("text", "told"), [(None, "there is no file"), ("{", "as JSON"), ("{}", "not a saved trace")]
    )
    def test_files_that_are_no_traces(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None, told: str
    ) -> None:
        path = tmp_path / "x.json"
        if text is not None:
            path.write_text(text)
        assert main(["table", str(path)]) == 2
        assert told in capsys.readouterr().err


class TestModels:
    def test_patterns(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["models", "alexnet", "--format", "csv"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert [line.split(",")[:3] for line in lines] == [
            ["name", "params", "macs"],
            ["alexnet", "62378344", "1135256096"],
            ["alexnet_2012", "60965224", "724406816"],
        ]
        assert main(["models", "vgg1?_bn", "--format", "csv"]) == 0
        assert len(capsys.readouterr().out.splitlines()) > 2

    def test_what_is_not_there(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["models", "alexnett"]) == 2
        assert "did you mean alexnet" in capsys.readouterr().err


class TestHelp:
    def read_examples(self, capsys: pytest.CaptureFixture[str], command: str) -> list[list[str]]:
        assert main([command, "--help"]) == 0
        lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
        examples = [line.replace("'", "").split() for line in lines[lines.index("Examples:") :] if line]
        return [example[1:] for example in examples if example[0] == "archscope"]

    @pytest.mark.parametrize("command", ["trace", "table", "models", "schema", "budget", "explain", "verify"])
    def test_every_command_has_two_examples_that_run(self, command: str, capsys: pytest.CaptureFixture[str]) -> None:
        examples = self.read_examples(capsys, command)
        assert len(examples) == 2
        for words in examples:
            assert words[0] == command
            assert main(words) == 0
            assert capsys.readouterr().out

    def test_no_words_at_all(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "argv", ["archscope"])
        assert main() == 2
        assert "Usage: archscope" in capsys.readouterr().out

    def test_version(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["--version"]) == 0
        assert capsys.readouterr().out == f"archscope {__version__}\n"

    @pytest.mark.parametrize("name", list_schemas())
    def test_schema(self, name: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["schema", name]) == 0
        schema = json.loads(capsys.readouterr().out)
        assert schema["title"] == f"archscope.{name}/1"
        assert schema["properties"]["schema"] == {"const": schema["title"]}
        assert main(["schema", "--help"]) == 0
        assert name in capsys.readouterr().out

    def test_the_runner_of_typer_works_too(self) -> None:
        result = CliRunner().invoke(app, ["models", "nosuchmodel"])
        assert result.exit_code == 2
        assert isinstance(app, typer.Typer)


class TestErrors:
    @pytest.mark.parametrize(
        ("words", "told"),
        [
            (["trac", "net"], "Did you mean 'trace'"),
            (["trace"], "Missing argument"),
            (["trace", "net", "--dept", "2"], "--depth"),
            (["trace", "net", "--depth", "x"], "--depth"),
            (["trace", "net", "--depth", "-1"], "--depth"),
            (["trace", "net", "--top", "0"], "--top"),
            (["trace", "nothing"], "did you mean anything or something?; archscope models lists them"),
            (["trace", "net", "--input", "0"], "0 is not a size"),
            (["trace", "net", "--input", "-1"], "-1 is not a size"),
            (["trace", "net", "--input", "3x"], "lacks a number"),
            (["trace", "net", "--arg", "x"], "has no '='"),
            (["trace", "net", "--mode", "mta"], "did you mean meta?"),
            (["trace", "net", "--sort", "mac"], "did you mean macs?"),
            (["trace", "net", "--filter", "Conv3d"], "did you mean Conv2d"),
            (["trace", "net", "--format", "jsn"], "did you mean json"),
            (["trace", "net", "-o", "x.pdf"], "unknown file suffix '.pdf'"),
            (["trace", "net", "-o", "no/such/folder/x.csv"], "there is no folder"),
            (["schema", "trce"], "did you mean trace?"),
        ],
    )
    def test_usage_errors_exit_with_2_and_say_how_to_mend_it(
        self, asked: Any, capsys: pytest.CaptureFixture[str], words: list[str], told: str
    ) -> None:
        assert main(words) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("error: ")
        assert told in re.sub(r"\s+", " ", err)
        assert "Traceback" not in err

    @pytest.mark.parametrize("debug", [False, True])
    def test_a_bug_is_apologised_for(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, debug: bool
    ) -> None:
        def break_down(target: str, options: Any) -> Summary:
            raise ZeroDivisionError("integer division by zero")

        monkeypatch.setattr("archscope.api.calls.trace_target", break_down)
        assert main(["trace", "net", *(["--debug"] if debug else [])]) == 101
        err = capsys.readouterr().err
        assert "error: sorry, this is a bug in archscope: ZeroDivisionError: integer division by zero" in err
        assert ("Traceback" in err) == debug
        assert ("--debug" in err) == (not debug)

    def test_control_c(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        def interrupt(target: str, options: Any) -> Summary:
            raise KeyboardInterrupt

        monkeypatch.setattr("archscope.api.calls.trace_target", interrupt)
        assert main(["trace", "net"]) == 130
        assert capsys.readouterr().err == "interrupted\n"

    @pytest.mark.parametrize("code", [5, 0, None, "no"])
    def test_a_model_that_exits_has_raised(self, monkeypatch: pytest.MonkeyPatch, code: Any) -> None:
        def leave(target: str, options: Any) -> Summary:
            raise SystemExit(code)

        monkeypatch.setattr("archscope.api.calls.trace_target", leave)
        assert main(["trace", "net"]) == 3

    def test_debug_shows_the_traceback_of_our_own_errors(self, asked: Any, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["trace", "nothing", "--debug"]) == 2
        assert "Traceback" in capsys.readouterr().err

    def test_every_line_of_a_message_is_indented(self, capsys: pytest.CaptureFixture[str]) -> None:
        print_error("first\nsecond", "one\ntwo")
        assert capsys.readouterr().err == "error: first\n  second\n  one\n  two\n"
