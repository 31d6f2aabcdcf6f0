"""Published figures as data, exactly as printed: what they are, the numbers in them, and which of them a word means."""

import ast
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from importlib.resources import files
from typing import Any

from archscope.core.errors import DataError, UnknownNameError
from archscope.models.registry import find_entry, list_entries

FOLDER = "facts"
_SUFFIX = ".toml"


@dataclass(frozen=True, slots=True)
class Fact:
    """One published figure."""

    id: str
    """Unique among all sources: `vgg.t1.A.conv1_1`."""
    model: str
    """As the source calls it."""
    where: str
    """The row, layer or part it is about."""
    quantity: str
    """`params`, `macs`, `output_shape`, ...; slashes join several."""
    published: str
    """Exactly as printed, with x for the times sign and ^ for powers."""
    rounding: str
    locus: str
    """Table, section or slide."""
    check: str
    """`trace`, `arithmetic`, `run`, `text` or `external`: what could answer it."""
    confirmed: bool
    """True if it was found in a text of the source, false if quoted from memory."""
    unit: str = ""
    convention: str = ""
    """What the figure leaves out or calls differently."""
    printed_number: str = ""
    """The digits as printed, where the figure is one number."""
    scale: int = 1
    """The published value is `printed_number * scale`."""
    split: str = ""
    year: int | None = None
    team: str = ""
    note: str = ""
    """Why the figure is odd, or why it cannot be recomputed."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where figures were printed."""

    name: str
    """The file's: `simonyan2014_vgg`."""
    key: str
    authors: str
    year: int
    title: str
    venue: str
    confirmed_by: str
    default_locus: str


def list_sources() -> tuple[str, ...]:
    """The names that `load_facts` knows, sorted."""
    names = (entry.name for entry in (files(__package__) / FOLDER).iterdir())
    return tuple(sorted(name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX)))


def load_facts(source: str) -> tuple[Fact, ...]:
    """The figures of `source`, in the order of its file. Raises UnknownNameError, DataError."""
    return tuple(_read_fact(entry, source) for entry in _load(source).get("fact", ()))


def load_source(source: str) -> Source:
    """What `source` is. Raises UnknownNameError, DataError."""
    entry = _load(source)["source"]
    texts = ("key", "authors", "title", "venue", "confirmed_by", "default_locus")
    return Source(name=source, year=int(entry["year"]), **{word: str(entry.get(word, "")) for word in texts})


def index_facts(*sources: str) -> dict[str, Fact]:
    """The figures of several sources by id. Raises DataError where two have one id."""
    index: dict[str, Fact] = {}
    for source in sources:
        for fact in load_facts(source):
            if fact.id in index:
                raise DataError(f"two published figures have the id {fact.id!r}")
            index[fact.id] = fact
    return index


@cache
def _load(source: str) -> Mapping[str, Any]:
    known = list_sources()
    if source not in known:
        raise UnknownNameError("source", source, known, f"known: {', '.join(known)}")
    text = (files(__package__) / FOLDER / f"{source}{_SUFFIX}").read_text(encoding="utf-8")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DataError(
            f"the published figures of {source} cannot be read: {error}", "install archscope again"
        ) from error


def _read_fact(entry: Mapping[str, Any], source: str) -> Fact:
    try:
        return Fact(**entry)
    except TypeError as error:
        raise DataError(f"{source}: {entry.get('id', 'a figure without id')}: {error}") from error


_NUMBER_WORDS = {
    "one": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
    "eleven": 11,
    "twelve": 12,
    "thirteen": 13,
    "doubled": 2,
    "rgb": 3,
}
_WORD = "|".join(rf"\b{word}\b" for word in _NUMBER_WORDS)
_DIGITS = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?(?:\^-?\d+)?"
_NUMBER = re.compile(rf"(?:(?<![^\s(=])[-+])?{_DIGITS}|{_WORD}", re.I)
"""A sign belongs to a number where nothing stands before it."""


@dataclass(frozen=True, slots=True)
class PrintedNumber:
    """A number with its precision."""

    value: Fraction
    step: Fraction
    """One unit in the last place that the source prints: 1,000,000 for `60 million`, 0.1 for `56.5%`."""


def read_amount(fact: Fact, at: int | None = None) -> PrintedNumber | None:
    """The one number that the figure is: `printed_number * scale`, else that at `at` in its text, else the first.

    None where it is none, or where the text does not print that number.
    """
    if at is not None or not fact.printed_number:
        found = list_numbers(fact.published)
        return found[at or 0] if -len(found) <= (at or 0) < len(found) else None
    digits = re.escape(fact.printed_number)
    found_number = re.search(rf"(?<![\d.]){digits}(?:x({_DIGITS}))?(?![\d^]|\.\d)", fact.published.replace(",", ""))
    if found_number is None or (found_number[1] and _read_number(found_number[1]).value != fact.scale):
        return None
    number = _read_number(fact.printed_number)
    step = max(number.step, _significant_step(fact))
    return PrintedNumber(number.value * fact.scale, step * fact.scale)


def list_numbers(text: str) -> tuple[PrintedNumber, ...]:
    """Every number in `text`, in order."""
    return tuple(_read_number(match.group()) for match in _NUMBER.finditer(text))


def find_numbers(text: str, pattern: str) -> tuple[Fraction, ...]:
    """The numbers that `pattern` matches in `text`; every number where it is empty."""
    if not pattern:
        return tuple(number.value for number in list_numbers(text))
    return tuple(_read_number(found).value for found in re.findall(pattern, text))


def read_list(text: str) -> tuple[int | str, ...] | None:
    """The Python list in `text`, None where there is none."""
    found = re.search(r"\[.*\]", text)
    try:
        items = ast.literal_eval(found.group()) if found else None
    except (SyntaxError, ValueError):
        return None
    return tuple(items) if isinstance(items, list) else None


def _read_number(text: str) -> PrintedNumber:
    word = _NUMBER_WORDS.get(text.casefold())
    if word is not None:
        return PrintedNumber(Fraction(word), Fraction(1))
    base, power, exponent = text.replace(",", "").partition("^")
    value = Fraction(base) ** int(exponent) if power else Fraction(base)
    decimals = len(base.partition(".")[2])
    step = min(Fraction(1), abs(value)) if power else Fraction(1, 10**decimals)
    return PrintedNumber(value, step)


def _significant_step(fact: Fact) -> Fraction:
    """Where a source keeps N digits, zeros beyond them say nothing: one unit of 650,000 to two digits is 10,000."""
    found = re.search(r"(\d|two|three) significant digits", fact.rounding)
    digits = re.sub(r"\D", "", fact.printed_number.partition(".")[0])
    if not found or fact.printed_number.count("."):
        return Fraction(0)
    kept = int(_NUMBER_WORDS.get(found[1], 0)) or int(found[1])
    return Fraction(10) ** max(0, len(digits) - kept)


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
        if folded in _list_model_families():
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


def _list_model_families() -> tuple[str, ...]:
    """`vgg`, `resnet`, ...: `vgg-cifar` is one of the VGGs."""
    return tuple(dict.fromkeys(entry.family.partition("-")[0] for entry in list_entries()))


def _list_words() -> tuple[str, ...]:
    sources = [load_source(source) for source in list_sources()]
    models = [name for entry in list_entries() for name in (entry.name, *entry.aliases)]
    return (*_list_model_families(), *models, *(source.key for source in sources), *(source.name for source in sources))
