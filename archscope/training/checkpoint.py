"""Checkpoints: the state of a run as a file that carries its own digest, and whether it may be gone on with.

The file is what `torch.save` writes, with `sha256:` and the SHA-256 of all bytes before it as the comment of the zip
archive, so that `torch.load` reads it as ever. It is loaded with `weights_only=True` only.
"""

import io
import struct
import sys
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from math import isfinite
from typing import Any

import torch
from torch import Tensor

from archscope.core.codec import decode, encode
from archscope.core.documents.findings import EpochMetrics
from archscope.core.errors import DataError
from archscope.training.configuration import Configuration

FORMAT = "archscope.checkpoint/1"
KEYS = frozenset({"format", "model", "optimizer", "scaler", "epoch", "metrics", "config"})
OTHER = "name the folder of another run with --run-dir, or start again in a new one"
_MARK = b"sha256:"
_SEAL_BYTES = len(_MARK) + 64


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a checkpoint holds, on the CPU."""

    name: str
    """The file, for messages."""
    blob: bytes
    state: Mapping[str, Any]
    metrics: tuple[EpochMetrics, ...]
    configuration: Configuration
    sealed: bool
    """Whether it carries its digest, which is then right."""

    def check_seal(self) -> None:
        """Raise DataError where the file does not carry its digest, so that nothing tells whether it is whole."""
        if not self.sealed:
            raise DataError(
                f"{self.name} carries no digest of its contents: it was changed, or another program wrote it", OTHER
            )


def pack_checkpoint(state: Mapping[str, Any]) -> bytes:
    """The bytes of a checkpoint file; equal contents give equal bytes."""
    buffer = io.BytesIO()
    torch.save(_make_canonical({"format": FORMAT, **state}), buffer)
    return _seal(buffer.getvalue())


def unpack_checkpoint(blob: bytes, name: str) -> Checkpoint:
    """The checkpoint in a file's bytes. Raises DataError where it is damaged or not one of ours."""
    sealed = _is_sealed(blob, name)
    try:
        state = torch.load(io.BytesIO(blob), map_location="cpu", weights_only=True)
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"{name} is damaged: {reason}", OTHER) from error
    if not isinstance(state, dict) or state.get("format") != FORMAT or KEYS - state.keys():
        raise DataError(f"{name} is not a checkpoint of archscope ({FORMAT})", OTHER)
    metrics = decode(state["metrics"], tuple[EpochMetrics, ...], f"{name}: metrics")
    configuration = decode(state["config"], Configuration, f"{name}: config")
    _check_epochs(state["epoch"], metrics, configuration, name)
    return Checkpoint(name, blob, state, metrics, configuration, sealed)


def pack_metrics(metrics: tuple[EpochMetrics, ...]) -> list[dict[str, Any]]:
    """Plain data: what a line of metrics.jsonl holds, for each epoch."""
    entries: list[dict[str, Any]] = encode(metrics)
    return entries


def check_weights(checkpoint: Checkpoint, built: Mapping[str, Any], title: str) -> None:
    """Raise DataError where the weights are those of another model, or not finite where those `built` are.

    `built` is the state of the model `title` as it was built.
    """
    found = checkpoint.state["model"]
    if not isinstance(found, Mapping):
        raise DataError(f"{checkpoint.name} holds no weights", OTHER)
    difference = next(_list_differences(found, built), None)
    if difference is not None:
        raise DataError(f"{checkpoint.name} holds the weights of another model than {title}: {difference}", OTHER)
    for name, tensor in found.items():
        _check_finite(tensor, built[name], f"{checkpoint.name}: {name}")


def check_optimizer(checkpoint: Checkpoint, built: Mapping[str, Any], shapes: Sequence[torch.Size]) -> None:
    """Raise DataError where the optimizer's state is not finite, or not that of the optimizer whose state is `built`.

    `shapes` are those of its parameters, in the order of its groups.
    """
    found, name = checkpoint.state["optimizer"], f"{checkpoint.name}: optimizer"
    groups = found.get("param_groups") if isinstance(found, Mapping) else None
    held = found.get("state") if isinstance(found, Mapping) else None
    if not isinstance(groups, list) or not isinstance(held, Mapping):
        raise DataError(f"{name} is malformed", OTHER)
    if len(groups) != len(built["param_groups"]):
        raise DataError(f"{name} has {len(groups)} groups of parameters, not {len(built['param_groups'])}", OTHER)
    for group, expected in zip(groups, built["param_groups"], strict=True):
        for key in group.keys() & expected.keys() - {"lr"} if isinstance(group, Mapping) else ("params",):
            if not isinstance(group, Mapping) or group[key] != expected[key]:
                raise DataError(f"{name} has other {key} than this run", OTHER)
    for index, entry in held.items():
        if index not in range(len(shapes)) or not isinstance(entry, Mapping):
            raise DataError(f"{name} is malformed", OTHER)
        for key, value in entry.items():
            place = f"{name}: {key} of parameter {index}"
            if not isinstance(value, Tensor) or value.shape != shapes[index]:
                raise DataError(f"{place} is not of the parameter's shape", OTHER)
            _check_finite(value, None, place)


def _list_differences(found: Mapping[Any, Any], built: Mapping[str, Any]) -> Iterator[str]:
    for name, expected in built.items():
        if name not in found:
            yield f"{name} is missing"
        elif isinstance(expected, Tensor):
            there = found[name]
            if not isinstance(there, Tensor):
                yield f"{name} is no tensor"
            elif (there.shape, there.dtype) != (expected.shape, expected.dtype):
                yield f"{name} is {_describe(there)} there, here {_describe(expected)}"
    for name in found:
        if name not in built:
            yield f"{name} is not in the model"


def _describe(tensor: Tensor) -> str:
    return f"{'x'.join(map(str, tensor.shape)) or 'a scalar'} {str(tensor.dtype).removeprefix('torch.')}"


def _check_finite(tensor: object, built: object, name: str) -> None:
    """Raise DataError where it is not finite, but for what is built so: a mask of minus infinity."""
    if not isinstance(tensor, Tensor) or not (tensor.is_floating_point() or tensor.is_complex()):
        return
    bad = ~torch.isfinite(tensor if tensor.element_size() > 1 else tensor.float())
    if isinstance(built, Tensor):
        bad &= torch.isfinite(built.cpu() if built.element_size() > 1 else built.cpu().float())
    count = int(bad.sum())
    if count:
        kind = "NaN" if bool(torch.isnan(tensor[bad]).any()) else "infinite"
        raise DataError(f"{name} is {kind} in {count:,} of {tensor.numel():,} places", OTHER)


def _check_epochs(epoch: object, metrics: tuple[EpochMetrics, ...], configuration: Configuration, name: str) -> None:
    numbers = [entry.epoch for entry in metrics]
    if not numbers or numbers != list(range(1, len(numbers) + 1)) or epoch != len(numbers):
        raise DataError(f"{name} is damaged: its epochs are {numbers}, their number {epoch!r}", OTHER)
    if len(numbers) > configuration.epochs:
        raise DataError(f"{name} is damaged: it holds {len(numbers)} of {configuration.epochs} epochs", OTHER)
    losses = [value for entry in metrics for value in (entry.train_loss, entry.test_loss, entry.learning_rate)]
    if not all(map(isfinite, losses)):
        raise DataError(f"{name} is damaged: a loss in it is NaN or infinite", OTHER)


def _seal(blob: bytes) -> bytes:
    sealed = blob[:-2] + struct.pack("<H", _SEAL_BYTES) + _MARK
    return sealed + sha256(sealed).hexdigest().encode()


def _is_sealed(blob: bytes, name: str) -> bool:
    """Whether the file carries its digest. Raises DataError where that is not the digest of what stands before it."""
    start = len(blob) - 64
    if start < len(_MARK) or blob[start - len(_MARK) : start] != _MARK:
        return False
    found = sha256(memoryview(blob)[:start]).hexdigest()
    if found.encode() != blob[start:]:
        raise DataError(f"{name} is damaged: its contents are not those whose digest it carries (SHA-256)", OTHER)
    return True


def _make_canonical(value: Any) -> Any:
    """The same with one object for each text and containers of its own: pickle writes objects seen before as such."""
    if type(value) is str:
        return sys.intern(value)
    if type(value) in (dict, OrderedDict):
        made = type(value)((_make_canonical(key), _make_canonical(item)) for key, item in value.items())
        metadata = getattr(value, "_metadata", None)  # what state_dict() adds: the versions of the modules
        if metadata is not None:
            made._metadata = _make_canonical(metadata)
        return made
    if type(value) in (list, tuple):
        return type(value)(map(_make_canonical, value))
    return value
