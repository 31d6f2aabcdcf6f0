"""The word of `archscope verify WORD` goes in; the figures that it means come out.

A word is a source (its key, its file's name or a part of that), a built-in model in any of its spellings, a family, or
the id of a figure or its beginning.
"""

import re
from collections import Counter
from collections.abc import Callable

from archscope.core.errors import UnknownNameError
from archscope.models.registry import find_entry, list_entries
from archscope.tables.published import Fact, list_sources, load_facts, load_source

FAMILIES = ("alexnet", "vgg", "googlenet", "resnet")
_VARIANT = re.compile(r"(_v1|_bn)$")


def choose_facts(word: str | None) -> tuple[tuple[str, Fact], ...]:
    """The figures meant by `word`, each with the name of its source; all without one. Raises UnknownNameError."""
    pairs = tuple((source, fact) for source in list_sources() for fact in load_facts(source))
    if word is None:
        return pairs
    means = _find_meaning(word)
    chosen = tuple((source, fact) for source, fact in pairs if means(source, fact))
    if not chosen:
        known = _list_words()
        remedy = f"sources: {', '.join(load_source(source).key for source in list_sources())}; models: archscope models"
        raise UnknownNameError("model or source", word, known, remedy)
    sizes = Counter(source for source, _ in chosen)
    return tuple(sorted(chosen, key=lambda pair: -sizes[pair[0]]))  # the source with most to say first


def _find_meaning(word: str) -> Callable[[str, Fact], bool]:
    """A source or an id means that alone; a model means every figure about it, whichever source prints it."""
    folded = _fold(word)
    named = [source for source in list_sources() if folded in (_fold(source), _fold(load_source(source).key))]
    if named:
        return lambda source, _: source in named
    if "." in word:
        return lambda _, fact: fact.id == word or fact.id.startswith(f"{word.rstrip('.')}.")
    names = _find_names(word)

    def means(source: str, fact: Fact) -> bool:
        if folded in source.split("_"):
            return True
        models = _read_models(fact.model)
        if folded in FAMILIES:
            return any(model.startswith(folded) for model in models)
        return bool(models & names) or fact.id.startswith(f"{folded}.")

    return means


def _find_names(word: str) -> frozenset[str]:
    """Spellings of a built-in model, as sources have them."""
    try:
        entry = find_entry(word)
    except UnknownNameError:
        return frozenset({_fold(word)})
    if entry.family == "alexnet":
        return frozenset({"alexnet"})
    return frozenset(_fold(_VARIANT.sub("", name)) for name in (entry.name, *entry.aliases))


def _read_models(text: str) -> frozenset[str]:
    """`Szegedy et al (GoogLeNet)` -> `szegedyetal`, `googlenet`; `VGG16 CIFAR-10 (lecture)` -> `vgg16cifar`."""
    outside = re.sub(r"\(.*?\)", "", text)
    inside = re.findall(r"\((.*?)\)", text)
    return frozenset(_fold(part).replace("cifar10", "cifar") for part in (outside, *inside))


def _fold(text: str) -> str:
    return re.sub(r"[\s_-]", "", text).casefold()


def _list_words() -> tuple[str, ...]:
    sources = [load_source(source) for source in list_sources()]
    models = [name for entry in list_entries() for name in (entry.name, *entry.aliases)]
    return (*FAMILIES, *models, *(source.key for source in sources), *(source.name for source in sources))
