"""A run that goes on: what is in its folder, and whether it is what is asked for."""

from dataclasses import dataclass

from archscope.core.errors import UsageError
from archscope.training.checkpoint import Checkpoint
from archscope.training.configuration import Configuration, check_same, read_configuration
from archscope.training.options import TrainOptions
from archscope.training.run_folder import CONFIG, RunFolder


def find_folder(options: TrainOptions) -> RunFolder | None:
    """The folder that is asked for. Raises UsageError where a run that does not go on is in it."""
    run = options.run
    if run.folder is None:
        if run.resume:
            raise UsageError("--resume needs --run-dir", "name the folder of the run to go on with")
        return None
    folder = RunFolder(run.folder)
    if not run.resume:
        folder.check_free()
    return folder


@dataclass(frozen=True, slots=True)
class Kept:
    """What a run that goes on was started with, and its checkpoint; None where there is none."""

    configuration: Configuration | None = None
    checkpoint: Checkpoint | None = None


def find_saved(folder: RunFolder, options: TrainOptions, *, checkpoint: bool) -> Kept:
    """What is in the folder. Raises DataError where it is damaged, UsageError where two runs are mixed in it."""
    saved = folder.read_config()
    began = None if saved is None else read_configuration(saved, CONFIG)
    if not checkpoint and began is not None:
        return Kept(began)
    last = folder.read_last(began)
    if last is None and began is None:
        folder.check_empty()
    if last is None or began is None:
        return Kept(began if last is None else last.configuration, last)
    check_same(began, last.configuration, options, (str(folder.path / CONFIG), last.name))
    return Kept(began, last)
