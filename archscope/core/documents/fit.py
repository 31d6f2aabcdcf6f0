"""The memory that a batch needs, as a document."""

from typing import Annotated, Any, Literal, TypeAlias, get_args

from msgspec import Meta

from archscope.core.codec import Count, Document, Entry, Shape

FitDtype: TypeAlias = Literal["fp32", "tf32", "bf16", "fp16", "bf16-pure", "fp16-pure"]
FIT_DTYPES: tuple[FitDtype, ...] = get_args(FitDtype)


class DecidingEntry(Entry, frozen=True):
    """Where the peak occurs."""

    path: str
    type: str
    phase: Literal["forward", "backward", "optimizer"]


class SavedEntry(Entry, frozen=True):
    """What one layer leaves saved for the backward pass."""

    path: str
    type: str
    saved_bytes: Count
    """storages that autograd saved first in this layer"""


class FitDocument(Document, frozen=True, tag="archscope.fit/1"):
    """What a batch needs, and the largest batch that fits."""

    archscope: str
    torch: str
    target: str
    arguments: dict[str, Any]
    """constructor arguments asked for with the target"""
    training: bool
    optimizer: Literal["sgd", "momentum", "adam", "adamw"] | None
    """null for inference"""
    dtype: FitDtype
    """bf16, fp16: autocast; with -pure weights, gradients and inputs are held in it; tf32 takes what fp32 takes"""
    memory_bytes: Count | None
    """what --memory named; null without it"""
    batch: Annotated[int, Meta(ge=1)]
    """the batch that the bytes are for: the one asked for, the largest that fits, or the smallest where nothing fits"""
    fits: bool | None
    """whether needed_bytes + reserve_bytes are within the memory; false: exit code 1; null without --memory"""
    largest_batch: Count | None
    """0 where nothing fits; null where --batch was given"""
    inputs: tuple[Shape, ...]
    """shapes at that batch"""
    parameter_bytes: Count
    buffer_bytes: Count
    gradient_bytes: Count
    optimizer_bytes: Count
    """momenta and second moments; step counters are left out"""
    saved_activation_bytes: Count
    """unique storages saved by autograd inside the model's forward, the input included where it is saved; parameters,
    buffers and the loss's own tensors not"""
    peak_bytes: Count
    """most that tensors occupy at any moment, without workspace"""
    workspace_bytes: Count
    """an estimate of what libraries take beside the tensors"""
    needed_bytes: Count
    """peak_bytes + workspace_bytes: what has to fit beside the reserve"""
    next_needed_bytes: Count | None
    """what one image more needs, where a search ended; no reserve in it"""
    reserve_bytes: Count
    """kept free beside needed_bytes, for the device's context and fragments: reserve_fixed_bytes and reserve_share of
    the memory; without --memory, of the least memory that the batch fits in, which is needed_bytes + reserve_bytes"""
    reserve_fixed_bytes: Count
    reserve_share: float
    """a fraction, from 0 to below 1"""
    deciding: DecidingEntry
    """where the peak occurs"""
    layers: tuple[SavedEntry, ...]
    uncounted: tuple[str, ...]
    """operations that keep a reserve of unknown size, which is in none of the figures"""
    notes: tuple[str, ...]
