"""What the README says is true: its quick start is what CI runs, and every example in it runs."""

import doctest
import re
import shlex
from pathlib import Path

import pytest

from archscope.cli.app import main

READMES = ("README.md", "README.ko.md")
REPOSITORY = Path(__file__).resolve().parents[2]


def read_blocks(readme: Path, language: str, section: str = "") -> list[str]:
    """The fenced blocks of one language, in the whole text or in the second-level section so headed."""
    text = readme.read_text(encoding="utf-8")
    if section:
        text = re.split(r"^## ", text.partition(f"## {section}\n")[2], flags=re.MULTILINE)[0]
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def read_commands(readme: Path, section: str = "") -> list[str]:
    lines = [line for block in read_blocks(readme, "sh", section) for line in block.splitlines()]
    return [line.partition("  #")[0].rstrip() for line in lines if line.strip()]


def read_examples(readme: Path) -> list[str]:
    return [command for command in read_commands(readme) if command.startswith("archscope ")]


EXAMPLES = sorted({example for name in READMES for example in read_examples(REPOSITORY / name)})


class TestQuickStart:
    @pytest.fixture
    def commands(self, repository: Path) -> list[str]:
        return read_commands(repository / "README.md", "Quick start")

    def test_it_is_two_commands(self, commands: list[str]) -> None:
        install, check = commands
        assert install.startswith("python3 -m venv .venv && ")
        assert " pip install . && " in install.replace(".venv/bin/", "")
        assert install.endswith("archscope table alexnet")
        assert check.endswith("pytest")

    def test_ci_runs_them_word_for_word(self, commands: list[str], repository: Path) -> None:
        lines = (repository / ".ci" / "run").read_text(encoding="utf-8").splitlines()
        assert set(commands) <= set(lines)

    def test_both_languages_give_the_same(self, commands: list[str], repository: Path) -> None:
        assert read_commands(repository / "README.ko.md", "빠른 시작") == commands


class TestExamples:
    def test_there_are_some(self) -> None:
        assert {"archscope models", "archscope schema trace"} <= set(EXAMPLES)

    @pytest.mark.parametrize("example", EXAMPLES)
    def test_a_command_runs(
        self, example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.chdir(tmp_path)
        words = shlex.split(example)[1:]
        assert main(words) == 0
        assert capsys.readouterr().out or list(tmp_path.iterdir())

    @pytest.mark.parametrize("name", READMES)
    def test_the_python_runs(
        self, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.chdir(tmp_path)
        (block,) = read_blocks(REPOSITORY / name, "python")
        exec(compile(block, name, "exec"), {})
        assert "15470264320" in capsys.readouterr().out
        assert (tmp_path / "resnet18.json").is_file()

    @pytest.mark.parametrize("name", READMES)
    def test_the_session_runs(self, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        (block,) = read_blocks(REPOSITORY / name, "pycon")
        session = doctest.DocTestParser().get_doctest(block, {}, name, name, 0)
        assert len(session.examples) >= 10
        assert doctest.DocTestRunner(verbose=False).run(session).failed == 0

    @pytest.mark.parametrize("name", READMES)
    def test_the_table_is_what_the_command_prints(self, name: str, capsys: pytest.CaptureFixture[str]) -> None:
        block = read_blocks(REPOSITORY / name, "")[0]
        command, *shown = block.splitlines()
        assert main(shlex.split(command.removeprefix("$ "))[1:]) == 0
        assert [line.rstrip() for line in shown] == [line.rstrip() for line in capsys.readouterr().out.splitlines()]
