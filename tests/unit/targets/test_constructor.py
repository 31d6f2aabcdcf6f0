"""Calls that cannot work, and what is said about them."""

import functools
from collections.abc import Callable
from typing import Any

import pytest
from torch import nn

from archscope.core.errors import FixedArgumentError, TargetError, UnknownNameError, UsageError
from archscope.targets.constructor import call_constructor, check_call, describe_value


class Net(nn.Module):
    def __init__(self, width: int, scale: float, *, name: str, depth: int = 1) -> None:
        super().__init__()


class Wrapper(Net):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)


def positional(width: int, /) -> nn.Module:
    return nn.Identity()


def make_nothing() -> nn.Module:
    return nn.Identity()


def fails(width: int = 1) -> nn.Module:
    return nn.Linear(width, "three")


def refuses(width: int = 1) -> nn.Module:
    raise UsageError("not this one")


def leaves() -> nn.Module:
    raise SystemExit(2)


def test_missing_arguments_are_listed_with_an_example() -> None:
    with pytest.raises(TargetError, match=r"Net of a\.py needs the arguments width, scale and name") as caught:
        check_call(Net, {}, "Net of a.py")
    assert caught.value.remedy == "give a value to each: --arg width=10 --arg scale=0.5 --arg name=TEXT"
    with pytest.raises(TargetError, match="needs the argument name"):
        check_call(Net, {"width": 1, "scale": 1.0}, "Net")
    check_call(Net, {"width": 1, "scale": 1.0, "name": "n"}, "Net")


def test_an_unknown_argument_suggests_the_right_one() -> None:
    with pytest.raises(UnknownNameError, match="unknown argument 'widht'") as caught:
        check_call(Net, {"widht": 1}, "Net")
    assert caught.value.suggestions == ("width",)
    assert "Net takes width, scale, name and depth" in caught.value.remedy
    with pytest.raises(UnknownNameError) as caught:
        check_call(make_nothing, {"width": 1}, "make")
    assert "make takes no arguments" in caught.value.remedy


def test_an_argument_refused_further_down_is_named_too() -> None:
    arguments = {"width": 1, "scale": 1.0, "name": "n", "dept": 2}
    check_call(Wrapper, arguments, "Wrapper")
    with pytest.raises(UnknownNameError) as caught:
        call_constructor(Wrapper, arguments, "Wrapper")
    assert caught.value.suggestions == ("depth",)


def test_position_only_arguments_cannot_be_given() -> None:
    with pytest.raises(FixedArgumentError, match="by position only") as caught:
        check_call(positional, {"width": 1}, "positional")
    assert caught.value.name == "width"


@pytest.mark.parametrize("call", [lambda **given: Net(width=3, **given), lambda **given: Net(3, **given)])
def test_arguments_that_a_factory_sets_itself_cannot_be_given(call: Callable[..., nn.Module]) -> None:
    with pytest.raises(FixedArgumentError, match="make sets width itself") as caught:
        call_constructor(call, {"width": 1, "scale": 1.0, "name": "n"}, "make")
    assert (caught.value.name, caught.value.remedy) == ("width", "leave out --arg width")


def test_what_a_constructor_raises_says_where() -> None:
    with pytest.raises(TargetError, match=r"fails raised TypeError: .*test_constructor\.py:\d+") as caught:
        call_constructor(fails, {}, "fails")
    assert isinstance(caught.value.__cause__, TypeError)
    with pytest.raises(TargetError, match="leaves raised SystemExit: 2"):
        call_constructor(leaves, {}, "leaves")
    with pytest.raises(UsageError, match="not this one"):
        call_constructor(refuses, {}, "refuses")


def test_what_is_no_module_is_described() -> None:
    with pytest.raises(TargetError, match=r"make returned an int \(7\), not a torch\.nn\.Module"):
        call_constructor(lambda: 7, {}, "make")
    assert describe_value(None) == "None"
    assert describe_value([1]) == "a list"
    assert describe_value("net") == "a str ('net')"


def test_signatures_that_cannot_be_read_are_left_to_the_call() -> None:
    check_call(dict, {"anything": 1}, "dict")
    check_call(functools.partial(Net, scale=1.0), {"width": 1, "name": "n"}, "partial")
