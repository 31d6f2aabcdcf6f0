"""Exact shape rules for the operations that CNNs are made of: the meta kernel's answer without the meta kernel.

A true meta kernel of `convolution`, `addmm`, `relu`, ... makes torch import sympy and torch._dynamo at its first call
(a second and 150 MB), and then takes most of a trace's time. Each rule here answers for the ordinary case alone, dense
default-format operands of one dtype that fit, and leaves the rest, errors included, to the true kernel. A test holds
every rule equal to the kernel, strides included, and `MetaExecutor(plain=True)` runs without them.
"""

from collections.abc import Callable
from typing import Any

import torch

META = torch.device("meta")
Rule = Callable[..., Any]

_aten = torch.ops.aten


def apply_rule(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The operation's output by its rule, or None where the true kernel must answer."""
    rule = RULES.get(func)
    if rule is None or (kwargs and rule is not _grouped_mm):
        return None
    return rule(*args, **kwargs)


def _is_dense(*tensors: Any) -> bool:
    """Whether all are floating tensors of one dtype, not empty, with the strides of the default memory format."""
    dtype = tensors[0].dtype
    return dtype.is_floating_point and all(
        tensor.dtype is dtype and tensor.__class__ in _CLASSES and 0 not in tensor.shape and _standard_strides(tensor)
        for tensor in tensors
    )


def _standard_strides(tensor: torch.Tensor) -> bool:
    expected = 1
    for size, stride in zip(reversed(tensor.shape), reversed(tensor.stride()), strict=True):
        if stride != expected:
            return False
        expected *= size
    return True


_CLASSES = (torch.Tensor, torch.nn.Parameter)


def _make(shape: tuple[int, ...], like: torch.Tensor) -> torch.Tensor:
    return torch.empty(shape, dtype=like.dtype, device=META)


def _convolution(x: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any, transposed: Any,
                 output_padding: Any, groups: Any) -> Any:  # fmt: skip
    if transposed or x.dim() != weight.dim() or x.dim() not in (3, 4, 5):
        return None
    if not _is_dense(x, weight, *(() if bias is None else (bias,))):
        return None
    spatial = x.dim() - 2
    if len(stride) != spatial or len(padding) != spatial or len(dilation) != spatial:
        return None
    fits = x.shape[1] == weight.shape[1] * groups and weight.shape[0] % groups == 0
    if not fits or (bias is not None and tuple(bias.shape) != (weight.shape[0],)):
        return None
    sizes = []
    for i in range(spatial):
        room = x.shape[2 + i] + 2 * padding[i] - dilation[i] * (weight.shape[2 + i] - 1) - 1
        if room < 0 or stride[i] <= 0 or padding[i] < 0 or dilation[i] <= 0:
            return None
        sizes.append(room // stride[i] + 1)
    return _make((x.shape[0], weight.shape[0], *sizes), x)


def _mm(a: Any, b: Any) -> Any:
    if a.dim() != 2 or b.dim() != 2 or not _is_product(a, b):
        return None
    if a.shape[1] != b.shape[0]:
        # The words of the real kernels, which people search for; the meta kernel has its own.
        sizes = " and ".join("x".join(map(str, operand.shape)) for operand in (a, b))
        raise RuntimeError(f"mat1 and mat2 shapes cannot be multiplied ({sizes})")
    return _make((a.shape[0], b.shape[1]), a)


def _addmm(bias: Any, a: Any, b: Any) -> Any:
    output = _mm(a, b)
    if output is None or bias.dtype is not a.dtype or bias.__class__ not in _CLASSES:
        return None
    return output if tuple(bias.shape) == (b.shape[1],) else None


def _bmm(a: Any, b: Any) -> Any:
    if a.dim() != 3 or b.dim() != 3 or a.shape[0] != b.shape[0] or a.shape[2] != b.shape[1] or not _is_product(a, b):
        return None
    return _make((a.shape[0], a.shape[1], b.shape[2]), a)


def _grouped_mm(a: Any, b: Any, offs: Any = None, bias: Any = None, out_dtype: Any = None) -> Any:
    """In float32 only, which the real kernels take and the meta kernel refuses; it answers for bfloat16."""
    if out_dtype is not None or a.dtype is not torch.float32 or not _is_product(a, b) or a.shape[-1] != b.shape[-2]:
        return None
    shape: tuple[int, ...]
    if a.dim() == 3 and b.dim() == 3:
        fits, shape = offs is None and a.shape[0] == b.shape[0], (a.shape[0], a.shape[1], b.shape[2])
    elif a.dim() == 2 and b.dim() == 3:
        fits, shape = offs is not None and offs.shape[0] == b.shape[0], (a.shape[0], b.shape[2])
    elif a.dim() == 3 and b.dim() == 2:
        fits, shape = offs is not None and offs.shape[0] == a.shape[0], (a.shape[1], b.shape[1])
    else:
        fits, shape = offs is not None, (offs.shape[0] if offs is not None else 0, a.shape[0], b.shape[1])
    return _make(shape, a) if fits else None


def _is_product(a: Any, b: Any) -> bool:
    return (
        a.dtype is b.dtype
        and a.dtype.is_floating_point
        and a.__class__ in _CLASSES
        and b.__class__ in _CLASSES
        and 0 not in a.shape
        and 0 not in b.shape
    )


def _unary(x: Any) -> Any:
    return _make(tuple(x.shape), x) if _is_dense(x) else None


def _binary(a: Any, b: Any) -> Any:
    if isinstance(b, torch.Tensor):
        if a.shape != b.shape or not _is_dense(a, b):
            return None
    elif type(b) not in (int, float) or not _is_dense(a):
        return None
    return _make(tuple(a.shape), a)


def _binary_in_place(a: Any, b: Any) -> Any:
    return None if _binary(a, b) is None else a


def _softmax(x: Any, dim: Any, half_to_float: Any) -> Any:
    return None if half_to_float or not -x.dim() <= dim < x.dim() else _unary(x)


def _layer_norm(x: Any, shape: Any, weight: Any, bias: Any, eps: Any) -> Any:
    vectors = [vector for vector in (weight, bias) if vector is not None]
    if x.dim() <= len(shape) or not shape or not _is_dense(x, *vectors) or x.dtype not in _SINGLE:
        return None
    if list(x.shape[-len(shape) :]) != list(shape) or any(list(vector.shape) != list(shape) for vector in vectors):
        return None
    saved = (*x.shape[: -len(shape)], *(1 for _ in shape))
    return _make(tuple(x.shape), x), _make(saved, x), _make(saved, x)


_SINGLE = (torch.float32, torch.float64)


def _constant_pad(x: Any, pad: Any, value: Any = 0) -> Any:
    if len(pad) % 2 or len(pad) > 2 * x.dim() or not any(pad) or min(pad) < 0 or not _is_dense(x):
        return None
    sizes = list(x.shape)
    for i in range(len(pad) // 2):
        sizes[-1 - i] += pad[2 * i] + pad[2 * i + 1]
    return _make(tuple(sizes), x)


def _batch_norm(x: Any, weight: Any, bias: Any, mean: Any, variance: Any, training: Any, *_: Any) -> Any:
    vectors = [vector for vector in (weight, bias, mean, variance) if vector is not None]
    if x.dim() < 2 or not vectors or not _is_dense(x, *vectors):
        return None
    if any(tuple(vector.shape) != (x.shape[1],) for vector in vectors) or (mean is None and not training):
        return None
    if training and x.numel() == x.shape[1]:
        return None
    saved = (x.shape[1],)
    return _make(tuple(x.shape), x), _make(saved, x), _make(saved, x)


def _mean(x: Any, dims: Any, keepdim: Any = False) -> Any:
    if not dims or not _is_dense(x) or not all(-x.dim() <= dim < x.dim() for dim in dims):
        return None
    reduced = {dim % x.dim() for dim in dims}
    if len(reduced) != len(dims):
        return None
    return _make(tuple(1 if i in reduced else n for i, n in enumerate(x.shape) if keepdim or i not in reduced), x)


def _adaptive_avg_pool2d(x: Any, size: Any) -> Any:
    if x.dim() != 4 or len(size) != 2 or min(size) < 1 or not _is_dense(x):
        return None
    return _make((x.shape[0], x.shape[1], *size), x)


def _avg_pool2d(x: Any, kernel: Any, stride: Any = (), padding: Any = (0,), ceil_mode: Any = False, *rest: Any) -> Any:
    divisor = rest[1] if len(rest) > 1 else None
    if x.dim() != 4 or divisor is not None or not _are_pairs(kernel, stride or kernel, padding) or not _is_dense(x):
        return None
    sizes = _pool_sizes(x, _pair(kernel), _pair(stride or kernel), _pair(padding), (1, 1), ceil_mode)
    return None if sizes is None else _make((x.shape[0], x.shape[1], *sizes), x)


def _cat(tensors: Any, dim: Any = 0) -> Any:
    if not tensors or not _is_dense(*tensors):
        return None
    first = tensors[0]
    if not -first.dim() <= dim < first.dim():
        return None
    along = dim % first.dim()
    for tensor in tensors[1:]:
        if tensor.dim() != first.dim() or any(
            i != along and tensor.shape[i] != first.shape[i] for i in range(first.dim())
        ):
            return None
    total = sum(tensor.shape[along] for tensor in tensors)
    return _make((*first.shape[:along], total, *first.shape[along + 1 :]), first)


def _avg_pool3d(x: Any, kernel: Any, stride: Any = (), padding: Any = (0, 0, 0), *more: Any) -> Any:
    if more or x.dim() != 5 or not len(kernel) == len(stride) == len(padding) == 3 or not _is_dense(x):
        return None
    sizes = _pool_sizes(x, kernel, stride, padding, (1, 1, 1), False)
    return None if sizes is None else _make((x.shape[0], x.shape[1], *sizes), x)


def _max_pool2d(x: Any, kernel: Any, stride: Any = (), padding: Any = (0,), dilation: Any = (1,),
                ceil_mode: Any = False) -> Any:  # fmt: skip
    if x.dim() != 4 or not _are_pairs(kernel, stride or kernel, padding, dilation) or not _is_dense(x):
        return None
    sizes = _pool_sizes(x, _pair(kernel), _pair(stride or kernel), _pair(padding), _pair(dilation), ceil_mode)
    if sizes is None:
        return None
    shape = (x.shape[0], x.shape[1], *sizes)
    return _make(shape, x), torch.empty(shape, dtype=torch.int64, device=META)


def _are_pairs(*values: Any) -> bool:
    return all(isinstance(value, int) or len(value) in (1, 2) for value in values)


def _pair(value: Any) -> tuple[int, int]:
    if isinstance(value, int):
        return value, value
    return (value[0], value[0]) if len(value) == 1 else (value[0], value[1])


def _pool_sizes(x: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool) -> Any:
    sizes = []
    for i in range(x.dim() - 2):
        if min(kernel[i], stride[i], dilation[i]) <= 0 or padding[i] < 0 or 2 * padding[i] > kernel[i]:
            return None
        room = x.shape[2 + i] + 2 * padding[i] - dilation[i] * (kernel[i] - 1) - 1
        if room < 0:
            return None
        size = (room + (stride[i] - 1 if ceil_mode else 0)) // stride[i] + 1
        if ceil_mode and (size - 1) * stride[i] >= x.shape[2 + i] + padding[i]:
            size -= 1
        sizes.append(size)
    return sizes


RULES: dict[Any, Rule] = {
    _aten.convolution.default: _convolution,
    _aten.mm.default: _mm,
    _aten.addmm.default: _addmm,
    _aten.bmm.default: _bmm,
    _aten._grouped_mm.default: _grouped_mm,
    _aten.relu.default: _unary,
    _aten.gelu.default: _unary,
    _aten.pow.Tensor_Scalar: _binary,
    _aten.add.Tensor: _binary,
    _aten.sub.Tensor: _binary,
    _aten.mul.Tensor: _binary,
    _aten.div.Tensor: _binary,
    _aten.mul.Scalar: _binary,
    _aten.add_.Tensor: _binary_in_place,
    _aten._softmax.default: _softmax,
    _aten.native_layer_norm.default: _layer_norm,
    _aten.constant_pad_nd.default: _constant_pad,
    _aten.avg_pool3d.default: _avg_pool3d,
    _aten.native_batch_norm.default: _batch_norm,
    _aten.max_pool2d_with_indices.default: _max_pool2d,
    _aten.avg_pool2d.default: _avg_pool2d,
    _aten._adaptive_avg_pool2d.default: _adaptive_avg_pool2d,
    _aten.mean.dim: _mean,
    _aten.cat.default: _cat,
}
"""Rules by operator overload."""
