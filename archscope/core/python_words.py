"""Command-line options in a message, as the keywords that mean the same in Python: `--memory 16GiB`, `memory="16GiB"`.

Messages are written once, for the command line, whose words the functions of `archscope` share but for the dashes.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

_FLAGS = {
    "train": "training", "compile": "compiled", "channels-last": "channels_last", "inference": "inference",
    "layers": "layers", "resume": "resume", "check-only": "check_only", "as-printed": "as_printed",
    "shuffle-labels": "shuffle_labels", "tensorboard": "tensorboard", "receptive": "receptive",
}  # fmt: skip
_RENAMED = {"input": "inputs", "arg": "arguments", "lr": "learning_rate", "verdict": "verdicts"}
_SAME = (
    "mode", "max-params", "max-macs", "max-activations", "baseline", "tolerance", "memory", "batch", "optimizer",
    "dtype", "reserve", "device", "compare", "seconds", "threads", "data", "epochs", "recipe", "run-dir", "keep",
    "seed", "batch-size", "classes", "subset", "test-subset", "precision", "against", "style", "columns",
)  # fmt: skip
_NAMES = {"no-check": "checks=False"} | _FLAGS | _RENAMED | {name: name.replace("-", "_") for name in _SAME}
_COMMANDS = re.compile(r"archscope [a-z]+ [^,;()]*")
"""What is to be typed in a shell stays as it is."""
_OPTION = re.compile(r"(?<![\w-])--([a-z][a-z-]*[a-z])(?![\w-])(?: ('[^']*'|\"[^\"]*\"|[^\s;)]*[^\s,;:.)]))?")
_INPUTS = re.compile(r'inputs="[^"]*"(?: inputs="[^"]*")+')
_VALUE = re.compile(r"['\"\[({\d]|-?\d|.*[=./%:]|[A-Z]+$")
_WORDS = ("mode", "device", "dtype", "precision", "style", "recipe", "optimizer", "data", "against")
"""Options whose values are words like any other."""
_PROSE = frozenset("goes go and or in to is was needs does cannot changes for that alone only has are reads".split())


_shells = 0
"""Command lines that are running in this process."""


@contextmanager
def speak_shell() -> Iterator[None]:
    """Leave options as they are: whoever reads the messages has typed them."""
    global _shells  # noqa: PLW0603  of the process: threads of a command line speak as it does
    _shells += 1
    try:
        yield
    finally:
        _shells -= 1


def choose_words(text: str) -> str:
    """The text as it is where a command line runs, else in the words of Python."""
    return text if _shells or "--" not in text else write_for_python(text)


def write_for_python(text: str) -> str:
    """The text with options as keywords of the functions, where they have these."""
    parts, end = [], 0
    for command in _COMMANDS.finditer(text):
        parts += [_OPTION.sub(_rewrite, text[end : command.start()]), command[0]]
        end = command.end()
    told = "".join([*parts, _OPTION.sub(_rewrite, text[end:])]).replace("} arguments={", ", ")
    return _INPUTS.sub(lambda found: f"inputs=[{found[0].replace(' inputs=', ', ').removeprefix('inputs=')}]", told)


def _rewrite(found: re.Match[str]) -> str:
    option, value = found[1], found[2]
    if option not in _NAMES:
        return found[0]
    is_value = bool(value) and bool(_VALUE.match(value) or (option in _WORDS and value not in _PROSE))
    if option == "arg" and value and value.isidentifier() and value not in (*_PROSE, "value"):
        return f"the argument {value}"
    if option in _FLAGS and not (option == "train" and is_value):
        asked = found.string[: found.start()].endswith(("add ", "with ", "without "))
        return f"{_NAMES[option]}{'=True' * asked}" + (f" {value}" if value else "")
    return _assign(option, value) if is_value else _NAMES[option] + (f" {value}" if value else "")


def _assign(option: str, value: str) -> str:
    if option == "arg":
        name, equals, rest = value.strip("'\"").partition("=")
        return f'arguments={{"{name}": {_quote(rest)}}}' if equals else f"arguments {value}"
    if option == "train":
        return f"train_steps={value}"
    if option == "input" and value == "N":
        return "side=N"
    return f"{_NAMES[option]}=" + (f'"{value}"' if option == "input" and value[0].isalnum() else _quote(value))


def _quote(value: str) -> str:
    """As Python writes it: numbers, placeholders and what is quoted as they are."""
    is_plain = re.fullmatch(r"'.*'|\".*\"|[A-Z]+|-?\d+(\.\d+)?(e-?\d+)?|True|False|None", value)
    return value if is_plain else f'"{value}"'
