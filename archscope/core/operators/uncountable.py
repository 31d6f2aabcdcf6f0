"""Operators that do work of the counted kinds, or near it, which shapes do not tell: each with its reason."""

from archscope.core.operators.taxonomy import register_all

register_all(
    "other",
    """
    _sparse_mm _sparse_addmm _sparse_sparse_matmul _sparse_mm_reduce_impl sparse_sampled_addmm hspmm smm sspaddmm
    _cslt_sparse_mm _sparse_semi_structured_addmm _sparse_semi_structured_linear _sparse_semi_structured_mm _spsolve
    """,
    reason="the work depends on how many values are not zero",
)

register_all(
    "other",
    """
    linalg_cholesky linalg_cholesky_ex linalg_det _linalg_det linalg_eig linalg_eigh _linalg_eigh linalg_eigvals
    _linalg_eigvals linalg_eigvalsh linalg_householder_product linalg_inv linalg_inv_ex linalg_ldl_factor
    linalg_ldl_factor_ex linalg_ldl_solve linalg_lstsq linalg_lu linalg_lu_factor linalg_lu_factor_ex
    linalg_lu_solve linalg_matrix_exp linalg_pinv linalg_qr linalg_slogdet _linalg_slogdet linalg_solve
    linalg_solve_ex _linalg_solve_ex linalg_solve_triangular linalg_svd _linalg_svd linalg_svdvals cholesky_inverse
    cholesky_solve _cholesky_solve_helper geqrf inverse lu_solve lu_unpack matrix_exp orgqr ormqr svd
    triangular_solve _lu_with_info _compute_linear_combination linalg_matrix_sqrth linalg_polar
    """,
    reason="a matrix decomposition or solver: no agreed count",
)

register_all(
    "other",
    """
    _cdist_forward _cdist_backward _euclidean_dist cdist _pdist_forward _pdist_backward pdist
    """,
    reason="pairwise distances: computed with or without a matrix product, as the sizes decide",
)

register_all(
    "other",
    """
    quantized_lstm quantized_gru quantized_lstm_cell quantized_gru_cell quantized_rnn_relu_cell
    quantized_rnn_tanh_cell
    """,
    reason="the weights are packed and their sizes hidden",
)

register_all(
    "other",
    """
    _cudnn_rnn_backward miopen_rnn_backward mkldnn_rnn_layer_backward
    """,
    reason="no formula for the backward pass of fused recurrent kernels",
)

register_all(
    "other",
    """
    _convolution_double_backward
    """,
    reason="no formula for second derivatives of convolutions",
)

_FOURIER = "a Fourier transform: no agreed count"
register_all("other", "_fft_c2c _fft_r2c _fft_c2r", reason=_FOURIER, reading="unknown")
register_all("other", "fft_c2c fft_r2c fft_c2r", "prims.", reason=_FOURIER, reading="unknown")
register_all(
    "other",
    """
    fft_fft fft_fft2 fft_fftn fft_hfft fft_hfft2 fft_hfftn fft_ifft fft_ifft2 fft_ifftn fft_ihfft fft_ihfft2
    fft_ihfftn fft_irfft fft_irfft2 fft_irfftn fft_rfft fft_rfft2 fft_rfftn
    """,
    reason=_FOURIER,
    reading="unknown",
)

register_all("other", "svd", "prims.", reason="a matrix decomposition or solver: no agreed count")

register_all(
    "other",
    "affine_grid_generator_backward cudnn_affine_grid_generator_backward",
    reason="no formula for the backward pass of an affine grid",
)

register_all(
    "other",
    "Thread",
    "threading.",
    reason="it was still running when forward returned: what it did after that is unknown",
)
register_all(
    "other",
    "unseen",
    "threading.",
    reason="its tensors come from a thread that ran before forward, or from elsewhere: what made them is unknown",
)
