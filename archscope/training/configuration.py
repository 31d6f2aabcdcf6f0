"""The configuration of a run: what was asked for, merged with what a resumed run was started with."""

from dataclasses import asdict, replace
from math import isfinite
from typing import Annotated, Any, ClassVar

from archscope.core.codec import Bounds, Document, NonEmpty, decode, encode, fill
from archscope.core.errors import DataError, UsageError
from archscope.core.paths import expand_path, make_absolute
from archscope.training.classifier import find_family
from archscope.training.data.images import DataSubset
from archscope.training.options import DEFAULT_EPOCHS, TrainOptions
from archscope.training.recipes import StepDecay, choose_recipe, find_recipe

_POSITIVE = Bounds(ge=1, le=2**31 - 1)


class Configuration(Document, frozen=True, tag="archscope.run/1"):
    """What makes a run what it is; kept as config.json and in every checkpoint."""

    noun: ClassVar = "configuration of a run"
    remedy: ClassVar = "choose another --run-dir"

    target: Annotated[str, NonEmpty]
    arguments: dict[str, Any]
    side: Annotated[int, _POSITIVE] | None
    data: str | None
    data_digest: str | None
    selection: DataSubset
    recipe: str
    as_printed: bool
    epochs: Annotated[int, _POSITIVE]
    batch_size: Annotated[int, Bounds(ge=2, le=2**31 - 1)] | None
    learning_rate: Annotated[float, Bounds(gt=0)] | None
    seed: Annotated[int, Bounds(ge=0, le=2**63 - 1)]
    threads: Annotated[int, _POSITIVE]
    """Of the CPU: sums are rounded otherwise with another number."""

    def to_document(self) -> dict[str, Any]:
        """Plain data."""
        document: dict[str, Any] = encode(fill(Configuration, self, arguments=_make_plain(self.arguments)))
        return document


def decide_configuration(text: str, options: TrainOptions, threads: int) -> Configuration:
    """The configuration of a run that begins, or (with options merged) goes on. Raises UnknownNameError, UsageError."""
    name = options.recipe or choose_recipe(find_family(text))
    recipe = find_recipe(name, as_printed=options.as_printed)
    return Configuration(
        target=text,
        arguments=dict(options.arguments),
        side=options.side,
        data=options.data if options.data in (None, "synthetic") else str(make_absolute(expand_path(options.data))),
        data_digest=options.data_digest,
        selection=options.selection,
        recipe=name,
        as_printed=options.as_printed,
        epochs=options.epochs or DEFAULT_EPOCHS,
        batch_size=options.batch_size,
        learning_rate=options.learning_rate,
        seed=recipe.seed if options.seed is None else options.seed,
        threads=threads,
    )


def read_configuration(saved: object, name: str) -> Configuration:
    """The configuration in `saved`, plain data of the file `name`. Raises DataError where it is malformed."""
    found = decode(saved, Configuration, name)
    if found.learning_rate is not None and not isfinite(found.learning_rate):
        raise DataError(f"{name}: learning_rate is {found.learning_rate}, not a number above 0", Configuration.remedy)
    return found


def merge_saved(text: str, options: TrainOptions, began: Configuration) -> TrainOptions:
    """The options of a run that goes on: what was not asked again is as it was.

    Raises UsageError where something is asked that would make it another run.
    """
    asked = {
        "the target": (text, began.target),
        "--input": (options.side, began.side),
        "--recipe": (options.recipe, began.recipe),
        "--as-printed": (options.as_printed or None, began.as_printed),
        "--batch-size": (options.batch_size, began.batch_size),
        "--lr": (options.learning_rate, began.learning_rate),
        "--seed": (options.seed, began.seed),
        "--arg": (_make_plain(dict(options.arguments)) or None, _make_plain(dict(began.arguments))),
        "--classes, --subset and --shuffle-labels": (
            None if options.selection == DataSubset() else options.selection,
            began.selection,
        ),
        "--threads": (options.machine.threads, began.threads),
        "--epochs": (None if _may_lengthen(began, options.epochs) else options.epochs, began.epochs),
    }
    for name, (now, then) in asked.items():
        if now is not None and now != then:
            raise UsageError(
                f"the run was started with other options: {name} was {_show(then)}, now {_show(now)}",
                "leave it out to resume the run, or choose another --run-dir",
            )
    return replace(
        options,
        arguments=began.arguments,
        side=began.side,
        data=options.data or began.data,
        data_digest=began.data_digest,
        selection=began.selection,
        recipe=began.recipe,
        as_printed=began.as_printed,
        epochs=options.epochs or began.epochs,
        batch_size=began.batch_size,
        learning_rate=began.learning_rate,
        seed=began.seed,
        machine=replace(options.machine, threads=began.threads),
    )


def check_same(config: Configuration, checkpoint: Configuration, options: TrainOptions, names: tuple[str, str]) -> None:
    """Raise UsageError where config.json and the checkpoint are of different runs, or of different lengths.

    Not for what `options` ask for anew: more epochs, and another place of the same images. `names` are the two files.
    """
    asked = {"epochs": options.epochs, "data": options.data}
    told = [
        f"{field} is {_show(getattr(config, field))} in {names[0]}, {_show(getattr(checkpoint, field))} in {names[1]}"
        for field in list_differences(config, checkpoint, every=True)
        if asked.get(field) is None or (field == "epochs" and not _may_lengthen(checkpoint, options.epochs))
    ]
    if told:
        longer = max(config.epochs, checkpoint.epochs)
        lengthened = told[0].startswith("epochs is") and _may_lengthen(checkpoint, longer)
        remedy = f"say how long the run is to be (--epochs {longer})" if lengthened else "put the file back as it was"
        raise UsageError(f"not the same run: {'; '.join(told)}", f"{remedy}, or choose another --run-dir")


def list_differences(one: Configuration, other: Configuration, *, every: bool = False) -> list[str]:
    """The fields that differ, of those that make another run; `every`: also its length, and where its images are."""
    fields = [field for field in Configuration.__struct_fields__ if every or field not in ("epochs", "data")]
    documents = one.to_document(), other.to_document()
    return [field for field in fields if documents[0][field] != documents[1][field]]


def _may_lengthen(began: Configuration, epochs: int | None) -> bool:
    """More epochs change nothing of those before where the rate does not depend on how many there are."""
    schedule = find_recipe(began.recipe, as_printed=began.as_printed).schedule
    return epochs is not None and epochs >= began.epochs and isinstance(schedule, StepDecay)


def _show(value: object) -> str:
    return str(asdict(value)) if isinstance(value, DataSubset) else str(value)


def _make_plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _make_plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_make_plain(item) for item in value]
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
