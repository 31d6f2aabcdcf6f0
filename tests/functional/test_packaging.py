"""The package as a user meets it: what it imports, what it installs, and what its texts promise."""

import importlib.metadata
import importlib.resources
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import archscope

TOP_LEVEL = {
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "README.ko.md",
    "README.md",
    "archscope",
    "examples",
    "pyproject.toml",
    "tests",
}
PURE_PACKAGES = ("core", "analysis", "tables", "rendering")


def run_python(code: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run `code` in a new interpreter that sees the archscope that these tests see."""
    environment = os.environ | {"PYTHONPATH": str(Path(archscope.__file__).parents[1])}
    command = [sys.executable, "-P", "-c", code]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def find_loaded_packages(statement: str, cwd: Path) -> set[str]:
    """The top-level packages in memory after `statement`, which must end well."""
    report = cwd / "loaded.json"
    code = f"""
import atexit, json, sys
def report():
    with open({str(report)!r}, "w") as file:
        json.dump(sorted({{name.partition(".")[0] for name in sys.modules}}), file)
atexit.register(report)
{statement}
"""
    done = run_python(code, cwd)
    assert done.returncode == 0, done.stderr
    return set(json.loads(report.read_text()))


def call_command(*words: str) -> str:
    return f"from archscope.cli.app import main\nsys.argv = {['archscope', *words]!r}\nsys.exit(main())"


class TestImports:
    def test_import_archscope_loads_no_torch(self, tmp_path: Path) -> None:
        loaded = find_loaded_packages("import archscope", tmp_path)
        assert "archscope" in loaded
        assert loaded.isdisjoint({"torch", "numpy", "rich", "typer"})

    @pytest.mark.parametrize("words", [["--help"], ["--version"], ["models"], ["schema", "trace"]], ids=" ".join)
    def test_commands_that_need_no_torch_load_none(self, words: list[str], tmp_path: Path) -> None:
        assert "torch" not in find_loaded_packages(call_command(*words), tmp_path)

    def test_table_loads_no_second_opinions(self, tmp_path: Path) -> None:
        loaded = find_loaded_packages(call_command("table", "vgg16"), tmp_path)
        assert "torch" in loaded
        assert loaded.isdisjoint({"torchinfo", "fvcore", "torchvision", "timm", "transformers"})

    @pytest.mark.parametrize("package", PURE_PACKAGES)
    def test_pure_packages_load_no_torch(self, package: str, tmp_path: Path) -> None:
        statement = f"""
import importlib, pkgutil
package = importlib.import_module("archscope.{package}")
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    importlib.import_module(module.name)
"""
        assert "torch" not in find_loaded_packages(statement, tmp_path)


class TestPublicNames:
    @pytest.mark.parametrize("name", archscope.__all__)
    def test_every_public_name_answers(self, name: str) -> None:
        assert getattr(archscope, name) is not None
        assert name in dir(archscope)

    def test_an_unknown_name_is_an_attribute_error(self) -> None:
        with pytest.raises(AttributeError, match="no attribute 'trase'"):
            archscope.trase  # type: ignore[attr-defined]  # noqa: B018

    def test_errors_are_one_tree(self) -> None:
        assert issubclass(archscope.ForwardError, archscope.ArchscopeError)
        assert archscope.ForwardError.exit_code == 3


class TestInstallation:
    @pytest.fixture
    def distribution(self) -> importlib.metadata.Distribution:
        try:
            return importlib.metadata.distribution("torch-archscope")
        except importlib.metadata.PackageNotFoundError:
            pytest.skip("archscope is run from its folder, not installed")

    def test_the_version_is_the_package_s(self, distribution: importlib.metadata.Distribution) -> None:
        assert distribution.version == archscope.__version__

    def test_the_command_is_callable(self, distribution: importlib.metadata.Distribution) -> None:
        (command,) = distribution.entry_points.select(group="console_scripts")
        assert command.name == "archscope"
        assert callable(command.load())

    def test_the_data_is_beside_the_code(self, repository: Path) -> None:
        installed = importlib.resources.files("archscope")
        source = repository / "archscope"
        data = [path for path in source.rglob("*") if path.suffix in {".json", ".toml", ".typed"}]
        assert source / "py.typed" in data
        for path in data:
            assert installed.joinpath(*path.relative_to(source).parts).is_file(), path


class TestContracts:
    """The import contracts hold, and each of them can fail."""

    @pytest.fixture
    def copy(self, repository: Path, tmp_path: Path) -> Path:
        shutil.copy(repository / "pyproject.toml", tmp_path)
        shutil.copytree(repository / "archscope", tmp_path / "archscope", ignore=shutil.ignore_patterns("__pycache__"))
        return tmp_path

    @staticmethod
    def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
        code = "from importlinter.cli import lint_imports_command; lint_imports_command(['--no-cache'])"
        command = [sys.executable, "-c", code]
        return subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8", check=False)

    def test_imports_run_one_way(self, copy: Path) -> None:
        done = self.lint_imports(copy)
        assert done.returncode == 0, done.stdout + done.stderr

    @pytest.mark.parametrize(
        ("file", "statement"),
        [
            ("core/added.py", "def load() -> None:\n    import torch\n"),
            ("core/added.py", "import archscope.analysis\n"),
            ("analysis/added.py", "import archscope.models\n"),
            ("tables/added.py", "import archscope.rendering\n"),
            ("tables/added.py", "import rich\n"),
            ("rendering/added.py", "import torch\n"),
            ("models/added.py", "import archscope.tracing\n"),
            ("tracing/added.py", "import archscope.analysis\n"),
            ("tracing/added.py", "import archscope.targets\n"),
            ("cli/added.py", "def trace() -> None:\n    import archscope.tracing\n"),
            ("cli/added.py", "import torch\n"),
            ("api_added.py", "import typer\n"),
        ],
    )
    def test_an_import_the_wrong_way_breaks_one(self, copy: Path, file: str, statement: str) -> None:
        (copy / "archscope" / file).write_text(statement)
        done = self.lint_imports(copy)
        assert done.returncode == 1
        assert "BROKEN" in done.stdout
        assert f"archscope.{file.removesuffix('.py').replace('/', '.')}" in done.stdout


class TestTexts:
    def test_pre_commit_runs_what_ci_runs(self, repository: Path) -> None:
        lines = (repository / ".ci" / "run").read_text(encoding="utf-8").splitlines()
        hooks = (repository / ".pre-commit-config.yaml").read_text(encoding="utf-8")
        commands = re.findall(r"entry: (.+)", hooks)
        assert len(commands) == 4
        assert set(commands) <= set(lines)

    def test_no_text_names_the_distribution_that_is_not_ours(self, repository: Path) -> None:
        wrong = re.compile(r"pip3? install [^\n`]*(?<![-/\w])archscope\b(?!/)")
        texts = [*repository.glob("*.md"), *(repository / "archscope").rglob("*.py"), *repository.glob("examples/**/*")]
        for path in texts:
            if path.is_file():
                for line in path.read_text(encoding="utf-8").splitlines():
                    assert not wrong.search(line.partition("&&")[0]), f"{path}: {line}"

    def test_the_top_level_holds_what_it_should(self, repository: Path) -> None:
        ignored = {line.strip("/") for line in (repository / ".gitignore").read_text().splitlines()}
        found = {path.name for path in repository.iterdir() if not path.name.startswith(".")}
        assert found - ignored <= TOP_LEVEL
