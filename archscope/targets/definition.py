"""Where a user's model is defined, as a reviewer would be sent to it."""

import inspect
import re
import types
from pathlib import Path

from torch import nn

from archscope.core.trace import SourceSpan


def find_definition(found: object, name: str = "", home: str | None = None) -> SourceSpan | None:
    """The class or function behind a target; else the line of the file `home` that binds `name`; None where unknown."""
    owner = type(found) if isinstance(found, nn.Module) else found
    if isinstance(owner, (type, types.FunctionType)) and owner.__module__.partition(".")[0] != "torch":
        functions = [owner] if isinstance(owner, types.FunctionType) else list(vars(owner).values())
        codes = (inspect.unwrap(item).__code__ for item in functions if isinstance(item, types.FunctionType))
        file = next((code.co_filename for code in codes if Path(code.co_filename).is_file()), None)
        if file is not None:
            return find_binding(file, owner.__qualname__)
    return find_binding(home, name) if home is not None else None


def find_binding(file: str, name: str) -> SourceSpan | None:
    """The line of the file that binds the last part of `name`, else its first; None where it cannot be read.

    In a notebook the lines are those of the JSON file, which is what a reviewer is shown.
    """
    try:
        lines = Path(file).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    last = re.escape(name.rpartition(".")[2])
    binds = re.compile(rf'^[\s"]*(?:(?:async\s+)?def\s+{last}\b|class\s+{last}\b|{last}\s*(?::[^=]*)?=(?!=))')
    line = next((number for number, text in enumerate(lines, start=1) if binds.match(text)), 1)
    return _make_span(file, line, name)


def _make_span(file: str, line: int, function: str) -> SourceSpan:
    return SourceSpan(file, line, line, None, None, function)
