"""Operations that do work of the counted kinds, or near it, which shapes do not tell: each with its reason."""

_SPARSE = "the work depends on how many values are not zero"
_SOLVER = "a matrix decomposition or solver: no agreed count"
_DISTANCE = "pairwise distances: computed with or without a matrix product, as the sizes decide"
_PACKED = "the weights are packed and their sizes hidden"

REASONS: dict[str, str] = {
    **{
        f"aten.{name}": _SPARSE
        for name in (
            "_sparse_mm", "_sparse_addmm", "_sparse_sparse_matmul", "_sparse_mm_reduce_impl", "sparse_sampled_addmm",
            "hspmm", "smm", "sspaddmm", "_cslt_sparse_mm", "_sparse_semi_structured_addmm",
            "_sparse_semi_structured_linear", "_sparse_semi_structured_mm", "_spsolve",
        )
    },
    **{
        f"aten.{name}": _SOLVER
        for name in (
            "linalg_cholesky", "linalg_cholesky_ex", "linalg_det", "_linalg_det", "linalg_eig", "linalg_eigh",
            "_linalg_eigh", "linalg_eigvals", "_linalg_eigvals", "linalg_eigvalsh", "linalg_householder_product",
            "linalg_inv", "linalg_inv_ex", "linalg_ldl_factor", "linalg_ldl_factor_ex", "linalg_ldl_solve",
            "linalg_lstsq", "linalg_lu", "linalg_lu_factor", "linalg_lu_factor_ex", "linalg_lu_solve",
            "linalg_matrix_exp", "linalg_pinv", "linalg_qr", "linalg_slogdet", "_linalg_slogdet", "linalg_solve",
            "linalg_solve_ex", "_linalg_solve_ex", "linalg_solve_triangular", "linalg_svd", "_linalg_svd",
            "linalg_svdvals", "cholesky_inverse", "cholesky_solve", "_cholesky_solve_helper", "geqrf", "inverse",
            "lu_solve", "lu_unpack", "matrix_exp", "orgqr", "ormqr", "svd", "triangular_solve", "_lu_with_info",
            "_compute_linear_combination", "linalg_matrix_sqrth", "linalg_polar",
        )
    },
    **{
        f"aten.{name}": _DISTANCE
        for name in ("_cdist_forward", "_cdist_backward", "_euclidean_dist", "cdist")
    },
    **{
        f"aten.{name}": _PACKED
        for name in ("quantized_lstm", "quantized_gru", "quantized_lstm_cell", "quantized_gru_cell",
                     "quantized_rnn_relu_cell", "quantized_rnn_tanh_cell")
    },
    "aten._cudnn_rnn_backward": "no formula for the backward pass of fused recurrent kernels",
    "aten.miopen_rnn_backward": "no formula for the backward pass of fused recurrent kernels",
    "aten.mkldnn_rnn_layer_backward": "no formula for the backward pass of fused recurrent kernels",
    "aten._convolution_double_backward": "no formula for second derivatives of convolutions",
}  # fmt: skip
"""Reasons by operation name."""
