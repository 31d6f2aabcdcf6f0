"""What the fuzzers do to a JSON document: other types and sizes, parts taken away, doubled, swapped, spoilt bytes."""

import copy
import json
from random import Random
from typing import Any

ODD: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        "",
        "x",
        "\x00",
        "\ud800",
        "../../etc",
        "²",
        "9" * 5000,
        "x" * 70_000,
        [],
        {},
        [0],
        [[]],
        {"a": 1},
    ),
    *(0, 1, -1, 2, 3, 7, 2**31, 2**53 + 1, 2**62, 2**63 - 1, 2**63, 10**20, 10**200, -(10**200), 10**400),
    *(0.5, -0.0, 1e308, float("inf"), float("nan"), [1, 1], [-1, -1], [0, 0], [10**200] * 2, [2**40] * 9, [[[[[1]]]]]),
    *({"float": "inf"}, {"float": "x"}, {"float": 1}, [None], [True, False], ["same"], "same"),
)
"""Values that no field expects, or not there."""

NUMBERS = (0, 1, 2**31, 2**62, 2**63 - 1, 2**63, 10**20, 10**200, 10**400)
"""Whole numbers that a document can hold, and larger ones."""


def _list_places(node: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) of the document."""
    found: list[tuple[Any, Any]] = []
    waiting = [node]
    while waiting:
        part = waiting.pop()
        keys = list(part) if isinstance(part, dict) else range(len(part))
        for key in keys:
            found.append((part, key))
            if isinstance(part[key], (dict, list)):
                waiting.append(part[key])
    return found


def _put_odd(random: Random, places: list[tuple[Any, Any]]) -> None:
    container, key = random.choice(places)
    container[key] = copy.deepcopy(random.choice(ODD))


def _change_number(random: Random, places: list[tuple[Any, Any]]) -> None:
    numbers = [(node, key) for node, key in places if type(node[key]) is int]
    if numbers:
        container, key = random.choice(numbers)
        old = container[key]
        container[key] = random.choice((*NUMBERS, old + 1, old - 1, -old, old * 10, old // 2, random.randrange(50)))


def _resize(random: Random, places: list[tuple[Any, Any]]) -> None:
    """A list of numbers, such as a shape or a stride, gets others and another length."""
    lists = [place for place in places if isinstance(place[0][place[1]], list) and _are_numbers(place[0][place[1]])]
    if lists:
        container, key = random.choice(lists)
        container[key] = [random.choice((0, 1, 2, 3, 7, *NUMBERS)) for _ in range(random.randrange(6))]


def _are_numbers(values: list[Any]) -> bool:
    return all(type(value) is int for value in values)


def _change_value(random: Random, places: list[tuple[Any, Any]]) -> None:
    """Another shape for one value wherever it stands, so that only what is done with it can tell."""
    tensors = [node for node, key in places if key == "shape" and isinstance(node.get("value"), int)]
    if tensors:
        number = random.choice(tensors)["value"]
        shape = [random.choice((0, 1, 2, 3, 4, 7, 2**31)) for _ in range(random.randrange(6))]
        for tensor in tensors:
            if tensor["value"] == number:
                tensor["shape"] = list(shape)


def _change_setting(random: Random, places: list[tuple[Any, Any]]) -> None:
    """A setting of a layer or an argument of an operation, which may be of any type."""
    holders = [node[key] for node, key in places if key in ("arguments", "settings") and isinstance(node[key], dict)]
    filled = [holder for holder in holders if holder]
    if filled:
        holder = random.choice(filled)
        holder[random.choice(list(holder))] = copy.deepcopy(random.choice(ODD))


def _swap_alike(random: Random, places: list[tuple[Any, Any]]) -> None:
    """Two values of fields of one name change places: names of operations, shapes, settings."""
    one, key = random.choice(places)
    two, other = random.choice([place for place in places if place[1] == key])
    one[key], two[other] = copy.deepcopy(two[other]), copy.deepcopy(one[key])


def _take_away(random: Random, places: list[tuple[Any, Any]]) -> None:
    container, key = random.choice(places)
    del container[key]


def _double(random: Random, places: list[tuple[Any, Any]]) -> None:
    container, key = random.choice(places)
    if isinstance(container, list):
        container.insert(random.randrange(len(container) + 1), copy.deepcopy(container[key]))


def _swap(random: Random, places: list[tuple[Any, Any]]) -> None:
    (one, first), (two, second) = random.choice(places), random.choice(places)
    one[first], two[second] = copy.deepcopy(two[second]), copy.deepcopy(one[first])


def _rename(random: Random, places: list[tuple[Any, Any]]) -> None:
    container, key = random.choice(places)
    if isinstance(container, dict):
        container[random.choice(("", "x", *container))] = container.pop(key)


def _shuffle(random: Random, places: list[tuple[Any, Any]]) -> None:
    container, key = random.choice(places)
    if isinstance(container[key], list):
        random.shuffle(container[key])


_CHANGES = (
    *(_put_odd, _change_number, _change_number, _change_number, _resize, _resize, _change_setting, _change_setting),
    *(
        _change_value,
        _change_value,
        _change_value,
        _swap_alike,
        _swap_alike,
        _take_away,
        _double,
        _swap,
        _rename,
        _shuffle,
    ),
)


def mutate_document(document: Any, random: Random) -> bytes:
    """The text of a document with up to three changes, or with its bytes spoilt."""
    changed = copy.deepcopy(document)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        places = _list_places(changed)
        if places:
            random.choice(_CHANGES)(random, places)
    return json.dumps(changed).encode()


def spoil_text(text: bytes, random: Random) -> bytes:
    """The text with something else done to its bytes than any change of values does."""
    place = random.randrange(len(text) + 1)
    numbers = [i for i in range(len(text)) if text[i : i + 2] == b": " and text[i + 2 : i + 3].isdigit()]
    start = random.choice(numbers) + 2 if numbers else 0
    end = start
    while text[end : end + 1].isdigit():
        end += 1
    word = random.choice((b"NaN", b"-Infinity", b"1e999", b"1" * 5000, b"1" + b"0" * 400, b"1_000", b"\xc2\xb2"))
    return random.choice(
        (
            b"",
            text[:place],
            text[place:],
            text[:place] + bytes([random.randrange(256)]) + text[place + 1 :],
            text[:place] + b"\x00" + text[place:],
            text[:start] + word + text[end:],
            text[:start] + b"[" * 100_000 + b"]" * 100_000 + text[end:],
            b"[" * 100_000,
            b'{"a":' * 100_000,
            b"\xef\xbb\xbf" + text,
            text.decode().encode("utf-16"),
            b"\xff\xfe" + text,
            text.replace(b"{", b'{"schema": "twice", ', 1),
            text.replace(b"/1", b"/2", 1),
            text.replace(b".trace", b".bench", 1),
            text + text,
        )
    )
