"""What somebody may have meant who named a layer that is not there: paths, as the tree of `trace` shows their parts."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from archscope.core.errors import suggest_names

if TYPE_CHECKING:
    from archscope.core.trace import LayerCall

MOST_SUGGESTIONS = 5


def suggest_layers(layers: Sequence["LayerCall"], word: str, labels: Iterable[str] = ()) -> tuple[str, ...]:
    """Names of layers near to `word`, the likeliest first; empty where nothing is near.

    The tree shows each layer by the last part of its path, beside its class, beneath its parent, and a run of alike
    layers as `0-3`: each of these is understood. `labels` are other names of layers.
    """
    paths = list(dict.fromkeys(layer.path for layer in layers if layer.path))
    found = dict.fromkeys(_list_likely(layers, paths, word)) or dict.fromkeys(_list_alike(paths, word, labels))
    return tuple(found)[:MOST_SUGGESTIONS]


def _list_alike(paths: Sequence[str], word: str, labels: Iterable[str]) -> Iterator[str]:
    """What is spelt alike: a path, or what the tree shows of it."""
    dotted = _write_dotted(word)
    if "." in dotted:
        yield from suggest_names(dotted, paths)
        return
    by_shown: dict[str, list[str]] = {label: [label] for label in labels}
    for path in paths:
        by_shown.setdefault(path.rpartition(".")[2], []).append(path)
    for shown in suggest_names(dotted, by_shown):
        yield from by_shown[shown]


def _list_likely(layers: Sequence["LayerCall"], paths: Sequence[str], word: str) -> Iterator[str]:
    """The path written otherwise, the layers of a run, the paths that end so, those of that class."""
    dotted = _write_dotted(word)
    names = list(_unfold(dotted))
    folded = {path.casefold(): path for path in paths}
    yield from (folded[name] for name in names if name in folded)
    yield from (path for path in paths if any(path.casefold().endswith(f".{name}") for name in names))
    yield from (layer.path for layer in layers if layer.path and layer.type.casefold() == word.casefold())


def _write_dotted(word: str) -> str:
    """`layer1[0]/conv1` and `model.layer1.0.conv1.weight` as `layer1.0.conv1`, in small letters."""
    dotted = re.sub(r"\[\s*['\"]?([^\]'\"]*)['\"]?\s*\]", r".\1", word.strip().casefold()).replace("/", ".")
    dotted = re.sub(r"#.*$", "", dotted).strip(". ")
    return re.sub(r"^(self|model|net|module|_orig_mod)\.(?=.)|\.(weight|bias|in_proj_weight|in_proj_bias)$", "", dotted)


def _unfold(dotted: str) -> Iterator[str]:
    """`blocks.0-1.conv1` -> `blocks.0.conv1`, `blocks.1.conv1`."""
    run = re.search(r"(?:^|(?<=\.))([0-9]{1,4})-([0-9]{1,4})(?=\.|$)", dotted)
    if run is None:
        yield dotted
        return
    first, last = int(run[1]), min(int(run[2]), int(run[1]) + MOST_SUGGESTIONS)
    for number in range(first, last + 1):
        yield from _unfold(dotted[: run.start()] + str(number) + dotted[run.end() :])


def split_call(name: str) -> tuple[str, int]:
    """`relu#2` as the path `relu` and the 1 call before it; without a number the first call is meant, with 0 before."""
    path, sign, number = name.rpartition("#")
    if sign and number.isascii() and number.isdecimal() and len(number) < 10:
        return path, int(number) - 1
    return name, 0
