"""Calling a constructor with arguments in words: one error names the argument at fault."""

import inspect
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from torch import nn

from archscope.core.errors import (
    ArchscopeError,
    FixedArgumentError,
    ModelError,
    TargetError,
    UnknownArgumentError,
    join_words,
    pass_interrupt,
    read_message,
)
from archscope.targets.failures import explain_failure, frame_globals

_UNEXPECTED = re.compile(r"(?:([\w.<>]+)\(\) )?got an unexpected keyword argument '(\w+)'")
_REPEATED = re.compile(r"got multiple values for (?:keyword )?argument '(\w+)'")
"""As CPython words them, 3.11 to 3.14."""

_EXAMPLES = {int: "10", float: "0.5", bool: "true", str: "TEXT", "int": "10", "float": "0.5", "bool": "true"}
"""What to write for an argument of this annotation."""


def check_call(constructor: Callable[..., Any], arguments: Mapping[str, Any], owner: str) -> None:
    """See from the signature whether the call can work.

    Raises UnknownArgumentError for an argument that `owner` does not take, FixedArgumentError for one that cannot be
    given, TargetError where it needs more.
    """
    parameters = _read_parameters(constructor)
    if parameters is None:
        return
    _check_known(parameters, arguments, owner)
    missing = [
        parameter
        for name, parameter in parameters.items()
        if name not in arguments
        and parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    if missing:
        names = " and ".join(", ".join(item.name for item in missing).rsplit(", ", 1))
        example = " ".join(f"--arg {item.name}={_EXAMPLES.get(item.annotation, 'VALUE')}" for item in missing)
        word = "argument" if len(missing) == 1 else "arguments"
        raise TargetError(f"{owner} needs the {word} {names}", f"give a value to each: {example}")


def call_constructor(constructor: Callable[..., Any], arguments: Mapping[str, Any], owner: str) -> nn.Module:
    """Build the module.

    Raises UnknownArgumentError for an argument it refuses, FixedArgumentError for one that it sets itself, TargetError
    for all else that it raises.
    """
    try:
        made = constructor(**arguments)
    except ArchscopeError:
        raise
    except TypeError as error:
        _explain_refusal(error, constructor, arguments, owner)
        raise explain_failure(error, owner) from error
    except BaseException as error:
        pass_interrupt(error)
        told = explain_failure(error, owner)
        if not isinstance(error, Exception):  # it ends the process, whatever it was given
            told.exit_code = ModelError.exit_code
        raise told from error
    if not isinstance(made, nn.Module):
        raise TargetError(f"{owner} returned {describe_value(made)}, not a torch.nn.Module")
    return made


def describe_value(value: object) -> str:
    """`an int (3)`, `a list`, `None`."""
    if value is None:
        return "None"
    kind = type(value).__name__
    article = "an" if kind[0].lower() in "aeiou" else "a"
    shown = f" ({value!r})" if isinstance(value, (bool, int, float, str)) and len(repr(value)) <= 40 else ""
    return f"{article} {kind}{shown}"


def _read_parameters(constructor: Callable[..., Any]) -> Mapping[str, inspect.Parameter] | None:
    try:
        return inspect.signature(constructor).parameters
    except (TypeError, ValueError):  # written in C, or it hides its signature: the call itself will tell
        return None


def check_names(known: Collection[str], arguments: Iterable[str], owner: str) -> None:
    """Raises UnknownArgumentError for an argument that is none of the known ones."""
    for name in arguments:
        if name not in known:
            raise UnknownArgumentError(name, known, _list_known(owner, known))


def _check_known(parameters: Mapping[str, inspect.Parameter], arguments: Iterable[str], owner: str) -> None:
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return
    known = _keyword_names(parameters)
    for name in arguments:
        if name in parameters and name not in known:
            raise FixedArgumentError(name, f"{owner} takes {name} by position only, so --arg {name} cannot reach it")
    check_names(known, arguments, owner)


def _keyword_names(parameters: Mapping[str, inspect.Parameter]) -> tuple[str, ...]:
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return tuple(name for name, parameter in parameters.items() if parameter.kind in kinds)


def _list_known(owner: str, known: Iterable[str]) -> str:
    words = list(known)
    return f"{owner} takes {join_words(words).replace(' or ', ' and ')}" if words else f"{owner} takes no arguments"


def _explain_refusal(
    error: TypeError, constructor: Callable[..., Any], arguments: Mapping[str, Any], owner: str
) -> None:
    """Raise the error of one argument where `constructor`, or a constructor beneath it, refused that argument."""
    repeated = _REPEATED.search(read_message(error))
    if repeated is not None and repeated[1] in arguments:
        name = repeated[1]
        raise FixedArgumentError(name, f"{owner} sets {name} itself", f"leave out --arg {name}") from error
    match = _UNEXPECTED.search(read_message(error))
    if match is None or match[2] not in arguments:
        return
    refused = _find_callable(match[1] or "", error)
    known = [name for name in _names_of(constructor) + _names_of(refused) if name != "self"]
    raise UnknownArgumentError(match[2], dict.fromkeys(known), _list_known(owner, known)) from error


def _names_of(constructor: Callable[..., Any] | None) -> tuple[str, ...]:
    parameters = _read_parameters(constructor) if constructor is not None else None
    return _keyword_names(parameters) if parameters is not None else ()


def _find_callable(qualified_name: str, error: BaseException) -> Callable[..., Any] | None:
    """The function named in the message (`ResNet.__init__`), looked up along the frames it passed through."""
    first, *rest = qualified_name.split(".")
    for names in frame_globals(error):
        if first not in names:
            continue
        found = names[first]
        for part in rest:
            found = getattr(found, part, None)
        if callable(found):
            return found
    return None
