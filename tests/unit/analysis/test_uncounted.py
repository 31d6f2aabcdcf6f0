"""What multiplies and accumulates is counted where a count is agreed upon, else uncounted with the reason."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import archscope
from archscope.core.operators import find_operator

X = torch.eye(8)
C = torch.complex64


class Call(nn.Module):
    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: Tensor) -> Any:
        return self.function(*inputs)


FOURIER: dict[str, tuple[Callable[..., Any], Tensor]] = {
    "fft": (torch.fft.fft, X),
    "ifft2": (torch.fft.ifft2, X.to(C)),
    "fftn": (torch.fft.fftn, X),
    "rfft": (torch.fft.rfft, X),
    "irfft2": (torch.fft.irfft2, X.to(C)),
    "hfft": (torch.fft.hfft, X.to(C)),
    "ihfft": (torch.fft.ihfft, X),
    "stft": (lambda x: torch.stft(x, 4, window=torch.hann_window(4), return_complex=True), X),
    "istft": (lambda x: torch.istft(x, 16, window=torch.ones(16)), torch.zeros(9, 5, dtype=C)),
}


@pytest.mark.parametrize("mode", ["meta", None, "real"])
@pytest.mark.parametrize("name", FOURIER)
def test_fourier_transforms_are_uncounted(name: str, mode: Any) -> None:
    function, x = FOURIER[name]
    summary = archscope.trace(Call(function), x, mode=mode)
    assert summary.costs.macs is None
    assert {unknown.reason for unknown in summary.costs.uncounted} == {"a Fourier transform: no agreed count"}
    assert "nothing uncounted" not in str(summary)
    assert "a Fourier transform" in str(summary)
    assert summary.to_dict()["counts_complete"] is False


def test_what_only_helps_a_fourier_transform_is_free() -> None:
    summary = archscope.trace(Call(lambda x: torch.fft.fftshift(x) * torch.fft.fftfreq(8)), X)
    assert (summary.costs.macs, summary.costs.uncounted) == (0, ())


SOLVERS: dict[str, Callable[[Tensor], Any]] = {
    "cholesky": torch.linalg.cholesky, "qr": torch.linalg.qr, "lu": torch.linalg.lu, "svd": torch.linalg.svd,
    "eig": torch.linalg.eig, "eigh": torch.linalg.eigh, "inv": torch.linalg.inv, "det": torch.det,
    "slogdet": torch.slogdet, "pinv": torch.linalg.pinv, "matrix exponential": torch.linalg.matrix_exp,
    "triangular": lambda x: torch.linalg.solve_triangular(x, x, upper=True),
    "lstsq": lambda x: torch.linalg.lstsq(x, x), "spectral norm": lambda x: torch.linalg.norm(x, 2),
    "householder": lambda x: torch.linalg.householder_product(x, x[0]),
    "cdist": lambda x: torch.cdist(x, x), "pdist": torch.pdist, "sparse": lambda x: torch.sparse.mm(x.to_sparse(), x),
    "compressed": lambda x: x.to_sparse_csr() @ x,
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", SOLVERS)
def test_solvers_distances_and_sparse_products_are_uncounted(name: str) -> None:
    summary = archscope.trace(Call(SOLVERS[name]), X)
    assert summary.costs.macs is None
    assert all(unknown.reason for unknown in summary.costs.uncounted)


PRODUCTS: dict[str, tuple[Callable[..., Any], tuple[Tensor, ...], int]] = {
    "matrix power": (lambda x: torch.linalg.matrix_power(x, 3), (X,), 2 * 8**3),
    "chain": (lambda x: torch.linalg.multi_dot([x, x[:, :2], x[:2]]), (X,), 8 * 8 * 2 + 8 * 2 * 8),
    "inner": (torch.inner, (X, X), 8**3),
    "tensordot": (lambda x: torch.tensordot(x, x, 1), (X,), 8**3),
    "covariance": (torch.cov, (X,), 8**3),
    "lists": (lambda x: torch._foreach_mm([x, x[:2]], [x, x[:, :3]]), (X,), 8**3 + 2 * 8 * 3),
    # Each of the 5x7 positions of both images, with its 1, meets the 2x3 matrix.
    "affine grid": (lambda x: F.affine_grid(x, [2, 3, 5, 7], align_corners=False), (torch.zeros(2, 2, 3),), 2 * 35 * 6),
    "affine grid in 3-D": (
        lambda x: F.affine_grid(x, [2, 3, 5, 7, 2], align_corners=False),
        (torch.zeros(2, 3, 4),),
        2 * 70 * 12,
    ),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_products_under_other_names_are_counted(name: str) -> None:
    function, inputs, macs = PRODUCTS[name]
    if name == "lists" and not hasattr(torch, "_foreach_mm"):
        pytest.skip("this torch has no product of lists")
    summary = archscope.trace(Call(function), *inputs)
    assert (summary.costs.macs, summary.costs.uncounted) == (macs, ())


@pytest.mark.parametrize("mode", ["bilinear", "bicubic", "nearest"])
def test_interpolation_is_free_as_pooling_is(mode: str) -> None:
    image = torch.zeros(1, 3, 4, 4)
    for function in (
        lambda x: F.interpolate(x, scale_factor=2, mode=mode),
        lambda x: F.grid_sample(x, torch.zeros(1, 2, 2, 2), mode=mode, align_corners=False),
    ):
        assert archscope.trace(Call(function), image).costs.macs == 0


IMAGE = torch.zeros(2, 3, 8, 8, dtype=C)
BATCH = torch.zeros(2, 4, 4, dtype=C)
COMPLEX: dict[str, tuple[nn.Module, tuple[Tensor, ...], int]] = {
    "Linear": (nn.Linear(4, 3), (BATCH,), 8 * 4 * 3),
    "Conv1d": (nn.Conv1d(4, 6, 3, bias=False), (BATCH,), 2 * 6 * 2 * 4 * 3),
    "Conv2d": (nn.Conv2d(3, 8, 3), (IMAGE,), 2 * 8 * 36 * 27),
    "Conv2d same": (nn.Conv2d(3, 8, 3, padding="same"), (IMAGE,), 2 * 8 * 64 * 27),
    "Conv2d grouped": (nn.Conv2d(3, 6, 3, stride=2, groups=3), (IMAGE,), 2 * 6 * 9 * 9),
    "Conv3d": (nn.Conv3d(2, 4, 2), (torch.zeros(1, 2, 3, 3, 3, dtype=C),), 4 * 8 * 2 * 8),
    "ConvTranspose2d": (nn.ConvTranspose2d(3, 4, 2), (IMAGE,), 2 * 3 * 64 * 4 * 4),
    "two in a row": (nn.Sequential(nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)), (IMAGE,), 2 * (2 * 64 * 9)),
    "bmm": (Call(torch.bmm), (BATCH, BATCH), 2 * 64),
    "baddbmm": (Call(torch.baddbmm), (BATCH, BATCH, BATCH), 2 * 64),
    "matmul": (Call(torch.matmul), (BATCH, BATCH), 2 * 64),
    "einsum": (Call(lambda x: torch.einsum("bij,bkj->bik", x, x.conj())), (BATCH,), 2 * 64),
    "dot": (Call(torch.vdot), (BATCH[0, 0], BATCH[0, 0]), 4),
}


@pytest.mark.filterwarnings("ignore:Complex modules")
@pytest.mark.parametrize("mode", ["meta", "real"])
@pytest.mark.parametrize("name", COMPLEX)
def test_a_complex_multiply_accumulate_is_one(name: str, mode: Any) -> None:
    module, inputs, macs = COMPLEX[name]
    summary = archscope.trace(module.to(C), *inputs, mode=mode)
    assert (summary.costs.macs, summary.costs.uncounted) == (macs, ())
    assert "a multiply-accumulate of two complex numbers is counted as one MAC" in str(summary)
    assert any("complex" in note for note in summary.to_dict()["notes"])


def test_three_real_convolutions_of_ones_own_are_three() -> None:
    def function(x: Tensor, weight: Tensor) -> Tensor:
        real = F.conv2d(x.real, weight.real) - F.conv2d(x.imag, weight.imag)
        return real + F.conv2d(x.real, weight.imag)

    assert archscope.trace(Call(function), IMAGE, torch.zeros(8, 3, 3, 3, dtype=C)).costs.macs == 3 * 2 * 8 * 36 * 27


def test_real_numbers_get_no_word_about_complex_ones() -> None:
    assert "complex" not in str(archscope.trace(nn.Linear(4, 3), torch.zeros(2, 4)))


def test_no_transform_solver_or_product_of_torch_is_taken_for_free() -> None:
    """Of the operators that the dispatcher knows, by their names."""
    telling = "fft_ linalg_ svd cholesky cdist pdist mm matmul conv lstm gru_ attention einsum inverse solve".split()
    harmless = """
        freq shift cache plan norm cross diagonal _powsum dummy hamming resolve slice check_errors comm gamma cumm
        flatten_weight prepack pack quantize gru_cell lstm_cell reorder search convert
    """.split()
    known = {name.split(".")[0] for name in torch._C._dispatch_get_all_op_names()}
    suspects = [
        name.replace("::", ".")
        for name in sorted(known)
        if name.startswith(("aten::", "prims::"))
        and any(word in name for word in telling)
        and not any(word in name for word in harmless)
    ]
    free = [name for name in suspects if (found := find_operator(name)) is not None and found.free]
    assert len(suspects) > 150
    assert free == []
