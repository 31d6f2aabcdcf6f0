"""`lecture.ipynb:Net` as a target: code cells are run in order, up to the one that defines the object.

Jupyter is not needed: lines of IPython (`%matplotlib inline`, `!pip install ...`, `net?`) are skipped.
"""

import ast
import linecache
import re
import symtable
import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archscope.core.errors import DataError, TargetError, UnknownNameError, pass_interrupt
from archscope.core.json_text import parse_json
from archscope.targets.failures import describe_error, find_place, shorten_path
from archscope.targets.from_file import (
    check_file,
    find_chosen_target,
    list_class_names,
    list_classes_beside,
    make_module,
    read_bytes,
)
from archscope.targets.imports import ImportScope
from archscope.targets.objects import Home, find_object_target
from archscope.targets.target import Target

_SHELL = re.compile(r"^\s*([%!?]|[\w.]+\?{1,2}\s*$)")
_ASSIGNED_SHELL = re.compile(r"^(\s*\w+\s*=)\s*[%!]")
_PYTHON_MAGICS = ("%%time", "%%timeit", "%%capture", "%%prun")
"""Cell magics whose cell is Python."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One code cell."""

    number: int
    """Among the code cells, from 1."""
    source: str
    """Python, with as many lines as the cell has."""
    file: str
    """What its lines are known by: `/home/me/lecture.ipynb#cell-3`."""


def find_in_notebook(path: Path, name: str, text: str, arguments: Mapping[str, Any]) -> Target:
    """The object `name` of the notebook. Raises UnknownNameError and TargetError."""
    file = check_file(path)
    cells = read_cells(file)
    sources = [cell.source for cell in cells if _parses(cell.source)]
    classes = list_class_names("\n".join(sources))
    if name:
        return find_object_target(_run_notebook(file, cells, name.partition(".")[0], classes), name, text, arguments)
    if not classes:
        raise TargetError(
            f"{text} names a file, not a model, and it defines no torch.nn.Module",
            f"write {text}:NAME, a torch.nn.Module class, an instance of one, or a function that returns one",
        )
    with list_classes_beside(classes):
        home = _run_notebook(file, cells, classes[-1], classes)
    return find_chosen_target(home, map(ast.parse, sources), text, arguments)


def read_cells(file: Path) -> tuple[Cell, ...]:
    """The code cells of the notebook. Raises TargetError where it is none, or not of Python."""
    shown = shorten_path(str(file))
    try:
        notebook = parse_json(read_bytes(file), shown, strict=False)
    except DataError as error:
        raise TargetError(f"{shown} is not a notebook that can be read ({error.message})") from error
    try:
        sources = [_read_source(cell) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    except (KeyError, TypeError) as error:
        remedy = "open it in Jupyter and save it again"
        raise TargetError(f"{shown} is not a notebook that can be read ({describe_error(error)})", remedy) from error
    language = _find_language(notebook.get("metadata"))
    if not str(language).casefold().startswith(("python", "ipython", "conda", "xpython")):
        raise TargetError(f"{shown} is a notebook of {language}, not of Python")
    return tuple(
        Cell(number, strip_magics(source), f"{file}#cell-{number}") for number, source in enumerate(sources, start=1)
    )


def _read_source(cell: Mapping[str, Any]) -> str:
    """The text of a cell: a string, or a list of its lines. Raises KeyError, TypeError."""
    source = cell["source"]
    return source if isinstance(source, str) else "".join(source)


def _find_language(metadata: object) -> object:
    """As the notebook names it; `python` where it names none, or where its metadata are of another form."""
    for key in ("language_info", "kernelspec"):
        named = metadata.get(key) if isinstance(metadata, dict) else None
        if isinstance(named, dict) and named:
            return named.get("name", "python")
    return "python"


def strip_magics(source: str) -> str:
    """The cell as Python, line for line: what only IPython understands becomes `pass`."""
    if _parses(source):
        return source
    lines = source.split("\n")
    first = next((line.strip() for line in lines if line.strip()), "")
    if first.startswith("%%"):
        if first.split()[0] not in _PYTHON_MAGICS:
            return "\n" * (len(lines) - 1)
        lines[next(i for i, line in enumerate(lines) if line.strip())] = ""
    continued = False
    for i, line in enumerate(lines):
        ends_open = line.rstrip().endswith("\\")
        if continued or _SHELL.match(line):
            lines[i] = "" if continued else line[: len(line) - len(line.lstrip())] + "pass"
            continued = ends_open
        else:
            lines[i] = _ASSIGNED_SHELL.sub(r"\1 None  # ", line)
    return "\n".join(lines)


def _run_notebook(file: Path, cells: tuple[Cell, ...], name: str, classes: list[str]) -> Home:
    shown = shorten_path(str(file))
    defining = [cell for cell in cells if _binds(cell.source, name)]
    if not defining:
        listed = f"{shown} defines {', '.join(classes)}" if classes else f"{shown} defines no torch.nn.Module"
        raise UnknownNameError(f"object in {shown}:", name, classes, listed)
    last = defining[0].number
    module = make_module(file, "")
    scope = ImportScope((str(file.parent),), str(file), {module.__name__})
    vars(module)["display"] = _display_nothing
    with scope.enter():
        for cell in cells:
            if cell.number > last or hasattr(module, name):
                break
            _run_cell(cell, module, shown)
    notes = [f"ran {shown} up to code cell {last} to load it"]
    if len(defining) > 1:
        again = ", ".join(str(cell.number) for cell in defining[1:])
        notes.append(f"{name} is taken from code cell {last}; it is defined again in code cell {again}")
    return Home(shown, module, scope, tuple(notes))


def _run_cell(cell: Cell, module: types.ModuleType, shown: str) -> None:
    lines = cell.source.splitlines(keepends=True)
    linecache.cache[cell.file] = (len(cell.source), None, lines, cell.file)
    try:
        exec(compile(cell.source, cell.file, "exec", dont_inherit=True), vars(module))
    except BaseException as error:
        pass_interrupt(error)
        raise TargetError(_locate(error, cell, shown), "fix the cell, or move the model above it") from error


def _locate(error: BaseException, cell: Cell, shown: str) -> str:
    """`lecture.ipynb, code cell 3, line 2: ValueError: ...`, and the innermost place where it is elsewhere."""
    line = error.lineno if isinstance(error, SyntaxError) and error.filename == cell.file else None
    traceback = error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == cell.file:
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    where = f"{shown}, code cell {cell.number}" + (f", line {line}" if line else "")
    place = find_place(error)
    inner = f" (at {place})" if place and not place.startswith(shorten_path(cell.file)) else ""
    return f"{where} raised {describe_error(error)}{inner}"


def _display_nothing(*_: object, **__: object) -> None:
    """Stands for IPython's `display`."""


def _parses(source: str) -> bool:
    try:
        ast.parse(source)
    except (SyntaxError, ValueError):
        return False
    return True


def _binds(source: str, name: str) -> bool:
    """Whether running the cell may give the name a value (a star import may)."""
    try:
        table = symtable.symtable(source, "cell", "exec")
    except (SyntaxError, ValueError):
        return False
    for symbol in table.get_symbols():
        if symbol.get_name() == name and (symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace()):
            return True
    return _imports_star(ast.parse(source).body)


def _imports_star(body: Iterable[ast.stmt]) -> bool:
    return any(isinstance(item, ast.ImportFrom) and item.names[0].name == "*" for item in body)
