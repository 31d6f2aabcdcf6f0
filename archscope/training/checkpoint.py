"""The state of a training as bytes, and back: loaded with `weights_only=True` only."""

import io
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from archscope.core.codec import decode, encode
from archscope.core.documents.findings import EpochMetrics
from archscope.core.errors import DataError

FORMAT = "archscope.checkpoint/1"
KEYS = frozenset({"format", "model", "optimizer", "scaler", "epoch", "metrics", "config"})


def pack_checkpoint(state: Mapping[str, Any]) -> bytes:
    """The bytes of a checkpoint file."""
    buffer = io.BytesIO()
    torch.save({"format": FORMAT, **state}, buffer)
    return buffer.getvalue()


def unpack_checkpoint(blob: bytes, name: str) -> dict[str, Any]:
    """The state in a checkpoint's bytes, on the CPU. Raises DataError where it is damaged or somebody else's."""
    try:
        state = torch.load(io.BytesIO(blob), map_location="cpu", weights_only=True)
    except (RuntimeError, ValueError, EOFError, KeyError, pickle.UnpicklingError) as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"{name} is damaged: {reason}", "take another checkpoint, or start anew") from error
    if not isinstance(state, dict) or state.get("format") != FORMAT or KEYS - state.keys():
        raise DataError(f"{name} is no checkpoint of archscope ({FORMAT})", "choose another --run-dir")
    return state


def read_checkpoint(path: Path) -> bytes | None:
    """The bytes of the file; None where there is none. Raises DataError where it cannot be read."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error


def pack_metrics(metrics: tuple[EpochMetrics, ...]) -> list[dict[str, Any]]:
    """Plain data: what a line of metrics.jsonl holds, for each epoch."""
    entries: list[dict[str, Any]] = encode(metrics)
    return entries


def unpack_metrics(entries: object) -> tuple[EpochMetrics, ...]:
    """The inverse of `pack_metrics`. Raises DataError where they are damaged."""
    return decode(entries, tuple[EpochMetrics, ...], "the metrics of the checkpoint")
