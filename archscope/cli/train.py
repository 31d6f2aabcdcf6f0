"""`archscope train`: sanity checks, then a short training on CIFAR-10 that is saved epoch by epoch."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from archscope.cli.command import ArgumentOptions, JudgementOptions, answer, command
from archscope.cli.progress import tell

if TYPE_CHECKING:
    from archscope.core.documents.findings import EpochMetrics
    from archscope.core.finding import Finding
    from archscope.training.reporter import EpochTimes, StepReport

TrainTarget = Annotated[
    str,
    typer.Argument(
        metavar="TARGET", help="vgg19_cifar, resnet34_cifar, any other built-in model, or file.py:Object, ..."
    ),
]


@command(
    "train",
    "archscope train resnet20 --check-only --data synthetic",
    "archscope train plain20 --epochs 1 --data synthetic --subset 200 --test-subset 100 --run-dir runs/example",
)
def train(
    target: TrainTarget,
    *,
    epochs: Annotated[int | None, typer.Option("--epochs", min=1, metavar="N", help="Default: 2.")] = None,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            metavar="PATH",
            help="CIFAR-10's binary version (archive or folder), or a folder of train/CLASS and test/CLASS images; "
            "'synthetic' for a dry run. Without it, the cache, else a download.",
        ),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option("--recipe", metavar="NAME", help="lecture-vgg, lecture-resnet or fast; without it, the model's."),
    ] = None,
    as_printed: Annotated[
        bool, typer.Option("--as-printed", help="The lecture's recipe with its mistakes: scheduler first, no eval().")
    ] = False,
    run_dir: Annotated[
        Path | None, typer.Option("--run-dir", metavar="DIR", help="Where the run is kept; default: a new one in runs.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --run-dir.")] = False,
    keep: Annotated[
        str, typer.Option("--keep", metavar="last|all", help="all: a checkpoint of each epoch, named by accuracy.")
    ] = "last",
    check_only: Annotated[
        bool, typer.Option("--check-only", help="Only the sanity checks; exit 1 on a fault.")
    ] = False,
    no_check: Annotated[bool, typer.Option("--no-check", help="Train without the sanity checks.")] = False,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, max=2**31 - 1, metavar="N", help="Default: the recipe's.")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option("--batch-size", min=2, metavar="N", help="Over all processes; default: the recipe's.")
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option("--lr", metavar="RATE", help="Peak learning rate; default: the recipe's.")
    ] = None,
    classes: Annotated[
        str | None, typer.Option("--classes", metavar="A,B", help="Only these classes: airplane,automobile.")
    ] = None,
    subset: Annotated[
        int | None, typer.Option("--subset", min=1, metavar="N", help="Training images, of all classes together.")
    ] = None,
    test_subset: Annotated[
        int | None, typer.Option("--test-subset", min=1, metavar="N", help="Held-out images, of all classes together.")
    ] = None,
    shuffle_labels: Annotated[
        bool, typer.Option("--shuffle-labels", help="A control: permute the training labels.")
    ] = False,
    side: Annotated[
        int | None,
        typer.Option("--input", min=1, metavar="N", help="Resize images to NxN; default: the target's input."),
    ] = None,
    model: ArgumentOptions,
    device: Annotated[str | None, typer.Option("--device", metavar="DEVICE", help="cpu, cuda, cuda:1.")] = None,
    threads: Annotated[int | None, typer.Option("--threads", min=1, metavar="N", help="Of the CPU.")] = None,
    precision: Annotated[
        str | None,
        typer.Option("--precision", metavar="DTYPE", help="float32, bfloat16 or float16; default: the recipe's."),
    ] = None,
    compiled: Annotated[bool, typer.Option("--compile", help="Train through torch.compile.")] = False,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Also write TensorBoard's event files (extra: tensorboard).")
    ] = False,
    output: JudgementOptions,
) -> None:
    """Check a model, then train it on CIFAR-10 for a few epochs, the lecture's way or fast.

    Progress goes to standard error; the last epoch's accuracy is the result.
    Everything is kept in a run folder; --resume goes on after any interruption.

    On several GPUs: torchrun --nproc-per-node N -m archscope train ...
    """
    from archscope import api

    chosen = output.choose(findings=True)
    words: dict[str, Any] = {
        "epochs": epochs,
        "data": data,
        "recipe": recipe,
        "as_printed": as_printed,
        "run_dir": run_dir,
        "resume": resume,
        "keep": keep,
        "check_only": check_only,
        "checks": not no_check,
        "seed": seed,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "subset": subset,
        "test_subset": test_subset,
        "shuffle_labels": shuffle_labels,
        "side": side,
        "device": device,
        "threads": threads,
        "precision": precision,
        "compiled": compiled,
        "tensorboard": tensorboard,
        "classes": tuple(name.strip() for name in (classes or "").split(",") if name.strip()),
        "arguments": model.read_arguments(),
    }
    shown = check_only and chosen.path is None and sys.stdout.isatty()
    reporter = TerminalReporter(tells_findings=not shown)
    answer(chosen, lambda: api.train(target, **words, reporter=reporter))


class TerminalReporter:
    """Writes what goes on to standard error, a line at a time."""

    def __init__(self, *, tells_findings: bool = True) -> None:
        self._next_share = 0
        self._tells_findings = tells_findings
        """False where the answer on the same terminal is the findings."""

    def note(self, text: str) -> None:
        """One line."""
        tell(text)

    def download(self, done: int, total: int | None) -> None:
        """Each tenth of the bytes."""
        from archscope.core.units import format_bytes

        share = 10 * done // total if total else done // (16 << 20)
        if share >= self._next_share:
            self._next_share = share + 1
            tell(f"  {format_bytes(done)}" + (f" of {format_bytes(total)} ({100 * done // total} %)" if total else ""))

    def finding(self, finding: "Finding") -> None:
        """The finding, what was expected and measured, and what to do."""
        from archscope.training.report import explain_finding

        for line in explain_finding(finding) if self._tells_findings else ():
            tell(line)

    def step(self, report: "StepReport") -> None:
        """As the lecture prints it."""
        tell(f"[{report.epoch}, {report.iteration:5d}/{report.iterations}] loss: {report.loss:.3f}")

    def epoch(self, metrics: "EpochMetrics", epochs: int, times: "EpochTimes") -> None:
        """Losses, accuracies and speed, then the accuracy of each class."""
        speed = times.images / times.train_seconds if times.train_seconds else 0.0
        waiting = 100 * times.data_seconds / times.train_seconds if times.train_seconds else 0.0
        tell(
            f"epoch {metrics.epoch}/{epochs}  train loss {metrics.train_loss:.3f}  test loss {metrics.test_loss:.3f}  "
            f"test accuracy {100 * metrics.test_accuracy:.2f} %  rate {metrics.learning_rate:.4g}  "
            f"{times.train_seconds:.1f} s + {times.test_seconds:.1f} s, {speed:,.0f} images/s, {waiting:.1f} % on data"
        )
        tell("  " + "  ".join(f"{name} {100 * share:.0f} %" for name, share in metrics.class_accuracy.items()))
