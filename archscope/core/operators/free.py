"""Operators that cost nothing in the MAC convention and need no class of their own, declared one by one.

Element-wise arithmetic, sorting, sampling, losses, backward forms, factories and data movement; also weighted sums
whose weights follow from positions and not from an operand: interpolation and sampling on a grid. An operator that is
not declared is never a silent zero.
"""

from archscope.core.operators.taxonomy import register_all

register_all(
    "other",
    """
    _adaptive_avg_pool2d_backward _adaptive_avg_pool3d_backward _add_batch_dim _add_relu _aminmax _assert_async
    _assert_scalar _assert_tensor_metadata _batch_norm_impl_index_backward _cast_Byte _cast_Char _cast_Double
    _cast_Float _cast_Half _cast_Int _cast_Long _cast_Short _choose_qparams_per_tensor _chunk_cat _coalesce
    _coalesced _conj_copy _conj_physical _copy_from _copy_from_and_resize _ctc_loss _ctc_loss_backward
    _cudnn_ctc_loss _cudnn_init_dropout_state _cudnn_rnn_flatten_weight _cummax_helper _cummin_helper _dim_arange
    _dirichlet_grad _efficientzerotensor _embedding_bag _embedding_bag_backward _embedding_bag_dense_backward
    _embedding_bag_forward_only _embedding_bag_per_sample_weights_backward _embedding_bag_sparse_backward
    _empty_affine_quantized _empty_per_channel_affine_quantized _fake_quantize_learnable_per_channel_affine
    _fake_quantize_learnable_per_channel_affine_backward _fake_quantize_learnable_per_tensor_affine
    _fake_quantize_learnable_per_tensor_affine_backward _fake_quantize_per_tensor_affine_cachemask_tensor_qparams
    _functional_assert_async _functional_assert_scalar _functional_sym_constrain_range
    _functional_sym_constrain_range_for_size _fw_primal _fw_primal_copy _gather_sparse_backward _grad_sum_to_size
    _grid_sampler_2d_cpu_fallback _grid_sampler_2d_cpu_fallback_backward _histogramdd_bin_edges
    _histogramdd_from_bin_cts _histogramdd_from_bin_tensors _index_put_impl _indices _indices_copy _is_all_true
    _is_any_true _is_zerotensor _jagged_to_padded_dense_forward _lazy_clone _linalg_check_errors
    _log_softmax_backward_data _logcumsumexp _make_dep_token _make_dual _make_dual_copy
    _make_per_channel_quantized_tensor _make_per_tensor_quantized_tensor _masked_scale _masked_softmax
    _masked_softmax_backward _mkldnn_reshape _mkldnn_transpose _neg_view_copy
    _nested_compute_contiguous_strides_offsets _nested_from_padded _nested_from_padded_and_nested_example
    _nested_from_padded_tensor _nested_get_jagged_dummy _nested_get_lengths _nested_get_max_seqlen
    _nested_get_min_seqlen _nested_get_offsets _nested_get_ragged_idx _nested_get_values _nested_get_values_copy
    _nested_select_backward _nested_sum_backward _nested_tensor_from_mask _nested_tensor_from_mask_left_aligned
    _nested_tensor_from_tensor_list _nested_tensor_size _nested_tensor_softmax_with_shape
    _nested_tensor_storage_offsets _nested_tensor_strides _nested_view_from_buffer _nested_view_from_buffer_copy
    _nested_view_from_jagged _nested_view_from_jagged_copy _new_zeros_with_same_feature_meta _nnz
    _pack_padded_sequence _pack_padded_sequence_backward _pack_sequence _pad_circular _pad_enum _pad_packed_sequence
    _padded_dense_to_jagged_forward _philox_key_fold_in _philox_key_split _philox_normal _philox_uniform _pin_memory
    _prelu_kernel_backward _remove_batch_dim _reshape_alias_copy _reshape_copy _reshape_from_tensor _resize_output
    _rowwise_prune _sample_dirichlet _saturate_weight_to_fp16 _segment_reduce_backward _shape_as_tensor
    _sobol_engine_draw _softmax_backward_data _sparse_broadcast_to _sparse_broadcast_to_copy
    _sparse_bsc_tensor_unsafe _sparse_bsr_tensor_unsafe _sparse_compressed_tensor_unsafe
    _sparse_compressed_tensor_with_dims _sparse_coo_tensor_unsafe _sparse_coo_tensor_with_dims
    _sparse_coo_tensor_with_dims_and_tensors _sparse_csc_tensor_unsafe _sparse_csr_prod _sparse_csr_sum
    _sparse_csr_tensor_unsafe _sparse_log_softmax _sparse_log_softmax_backward_data _sparse_mask_projection
    _sparse_softmax _sparse_softmax_backward_data _sparse_sum _sparse_sum_backward _spdiags _stack _standard_gamma
    _standard_gamma_grad _thnn_differentiable_gru_cell_backward _thnn_differentiable_lstm_cell_backward
    _thnn_fused_gru_cell _thnn_fused_gru_cell_backward _thnn_fused_lstm_cell_backward
    _thnn_fused_lstm_cell_backward_impl _to_cpu _to_dense _to_sparse _to_sparse_bsc _to_sparse_bsr _to_sparse_csc
    _to_sparse_csr _to_sparse_semi_structured _transform_bias_rescale_qkv _unique _unique2 _unpack_dual
    _unsafe_index_put _unsafe_masked_index _unsafe_masked_index_put_accumulate _upsample_bicubic2d_aa
    _upsample_bicubic2d_aa_backward _upsample_bilinear2d_aa _upsample_bilinear2d_aa_backward _upsample_lanczos2d_aa
    _upsample_lanczos2d_aa_backward _upsample_nearest_exact1d_backward _upsample_nearest_exact2d_backward
    _upsample_nearest_exact3d_backward _validate_compressed_sparse_indices _validate_sparse_bsc_tensor_args
    _validate_sparse_bsr_tensor_args _validate_sparse_compressed_tensor_args _validate_sparse_coo_tensor_args
    _validate_sparse_csc_tensor_args _validate_sparse_csr_tensor_args _values _values_copy _weight_norm
    _weight_norm_differentiable_backward _weight_norm_interface _weight_norm_interface_backward abs absolute acos
    acosh adaptive_avg_pool3d_backward adaptive_max_pool2d_backward adaptive_max_pool3d_backward addcdiv addcmul
    alias_copy allclose alpha_dropout aminmax angle arange arccos arccosh arcsin arcsinh arctan arctan2 arctanh
    argsort argwhere as_strided_copy as_strided_scatter asin asinh atan atan2 atanh atleast_1d atleast_2d atleast_3d
    avg_pool2d_backward avg_pool3d_backward bartlett_window batch_norm_backward batch_norm_backward_elemt
    batch_norm_backward_reduce batch_norm_elemt batch_norm_gather_stats batch_norm_gather_stats_with_counts
    batch_norm_stats batch_norm_update_stats bernoulli binary_cross_entropy binary_cross_entropy_backward
    binary_cross_entropy_with_logits bincount binomial bitwise_and bitwise_left_shift bitwise_not bitwise_or
    bitwise_right_shift bitwise_xor blackman_window block_diag broadcast_tensors bucketize cartesian_prod cauchy
    ccol_indices ccol_indices_copy ceil chalf channel_shuffle choose_qparams_optimized clamp clamp_max clip coalesce
    col_indices col_indices_copy column_stack combinations complex conj conj_physical copysign cos cosh
    cosine_embedding_loss cosine_similarity count_nonzero cross cross_entropy_loss crow_indices crow_indices_copy
    ctc_loss cudnn_batch_norm_backward cudnn_grid_sampler cudnn_grid_sampler_backward cummax cummaxmin_backward
    cummin cumprod_backward cumulative_trapezoid deg2rad degrees dense_dim dequantize detach_copy diag diag_embed
    diagflat diagonal_backward diagonal_copy diagonal_scatter diff digamma dist dist_backward div divide divmod
    dropout dstack element_size elu_backward embedding embedding_backward embedding_bag embedding_dense_backward
    embedding_renorm embedding_sparse_backward empty empty_like empty_permuted empty_quantized empty_strided eq erf
    erfc erfinv exp exp2 expand_copy expm1 exponential eye fake_quantize_per_channel_affine
    fake_quantize_per_channel_affine_cachemask fake_quantize_per_channel_affine_cachemask_backward
    fake_quantize_per_tensor_affine fake_quantize_per_tensor_affine_cachemask
    fake_quantize_per_tensor_affine_cachemask_backward feature_alpha_dropout feature_dropout fft_fftfreq
    fft_fftshift fft_ifftshift fft_rfftfreq fill fix fliplr flipud float_power floor floor_divide fmax fmin fmod
    frac fractional_max_pool2d fractional_max_pool2d_backward fractional_max_pool3d fractional_max_pool3d_backward
    frexp frobenius_norm fused_moving_avg_obs_fake_quant gamma gather_backward gcd ge gelu_backward geometric glu
    glu_backward glu_backward_jvp glu_jvp grad greater greater_equal grid_sampler grid_sampler_2d_backward
    grid_sampler_3d_backward gt hamming_window hann_window hardshrink hardshrink_backward hardsigmoid_backward
    hardswish_backward hardtanh_backward hash_tensor heaviside hinge_embedding_loss histc histogram histogramdd
    hstack huber_loss huber_loss_backward hypot i0 igamma igammac index_add index_copy index_fill index_reduce
    index_select_backward indices indices_copy infinitely_differentiable_gelu_backward int_repr is_coalesced
    is_complex is_conj is_contiguous is_distributed is_floating_point is_inference is_leaf is_neg
    is_non_overlapping_and_dense is_pinned is_same_size is_set_to is_signed is_strides_like_format isclose isfinite
    isin isinf isnan isneginf isposinf isreal kaiser_window kl_div kthvalue l1_loss lcm ldexp le leaky_relu_backward
    lerp less less_equal lgamma lift lift_fresh_copy linalg__powsum linalg_cross linspace log log10 log1p log2
    log_normal log_sigmoid_backward logaddexp logaddexp2 logical_and logical_not logical_or logical_xor logit
    logit_backward logspace lt margin_ranking_loss masked_fill masked_scatter masked_scatter_backward
    masked_select_backward max_pool2d_backward max_pool2d_with_indices_backward max_pool3d_with_indices_backward
    max_unpool3d maximum meshgrid minimum miopen_batch_norm_backward miopen_ctc_loss mish_backward
    mkldnn_adaptive_avg_pool2d_backward mkldnn_max_pool2d_backward mkldnn_max_pool3d_backward
    mkldnn_reorder_conv2d_weight mkldnn_reorder_conv3d_weight mode mse_loss mse_loss_backward msort mul
    multi_margin_loss multi_margin_loss_backward multilabel_margin_loss multilabel_margin_loss_backward
    multilabel_margin_loss_forward multinomial multiply mvlgamma nan_to_num nanmedian nanquantile narrow_copy
    native_batch_norm_backward native_channel_shuffle native_dropout native_dropout_backward
    native_group_norm_backward native_layer_norm_backward native_norm ne neg negative nested_to_padded_tensor
    new_empty new_empty_strided nextafter nll_loss nll_loss2d nll_loss2d_backward nll_loss2d_forward
    nll_loss_backward nll_loss_forward nll_loss_nd nonzero_numpy nonzero_static norm_except_dim normal
    normal_functional not_equal numel one_hot pad pad_sequence pairwise_distance permute_copy pin_memory poisson
    poisson_nll_loss polar polygamma positive pow put q_per_channel_axis q_per_channel_scales
    q_per_channel_zero_points q_scale q_zero_point qscheme quantile quantize_per_channel quantize_per_tensor
    quantize_per_tensor_dynamic quantized_batch_norm rad2deg radians rand rand_like randint randint_like randn
    randn_like random randperm range reciprocal reflection_pad1d_backward reflection_pad2d_backward
    reflection_pad3d_backward remainder renorm replication_pad1d_backward replication_pad2d_backward
    replication_pad3d_backward resize resize_as resize_as_sparse resolve_conj resolve_neg result_type round
    row_indices row_indices_copy row_stack rrelu_with_noise_backward rrelu_with_noise_functional rsqrt rsub
    scalar_tensor scatter_reduce searchsorted segment_reduce select_backward select_copy select_scatter set sgn
    sigmoid_backward sign signbit silu_backward sin sinc sinh size slice_backward slice_copy slice_inverse
    slice_scatter smooth_l1_loss smooth_l1_loss_backward soft_margin_loss soft_margin_loss_backward
    softplus_backward softshrink softshrink_backward sparse_bsc_tensor sparse_bsr_tensor sparse_compressed_tensor
    sparse_coo_tensor sparse_csc_tensor sparse_csr_tensor sparse_dim sparse_mask sparse_resize
    sparse_resize_and_clear special_airy_ai special_bessel_j0 special_bessel_j1 special_bessel_y0 special_bessel_y1
    special_chebyshev_polynomial_t special_chebyshev_polynomial_u special_chebyshev_polynomial_v
    special_chebyshev_polynomial_w special_digamma special_entr special_erf special_erfc special_erfcx
    special_erfinv special_exp2 special_expit special_expm1 special_gammainc special_gammaincc special_gammaln
    special_hermite_polynomial_h special_hermite_polynomial_he special_i0 special_i0e special_i1 special_i1e
    special_laguerre_polynomial_l special_legendre_polynomial_p special_log1p special_log_ndtr special_log_softmax
    special_logit special_logsumexp special_modified_bessel_i0 special_modified_bessel_i1 special_modified_bessel_k0
    special_modified_bessel_k1 special_multigammaln special_ndtr special_ndtri special_polygamma special_psi
    special_round special_scaled_modified_bessel_k0 special_scaled_modified_bessel_k1
    special_shifted_chebyshev_polynomial_t special_shifted_chebyshev_polynomial_u
    special_shifted_chebyshev_polynomial_v special_shifted_chebyshev_polynomial_w special_sinc special_softmax
    special_spherical_bessel_j0 special_xlog1py special_xlogy special_zeta split_copy split_with_sizes_copy sqrt
    square squeeze_copy storage_offset stride sub subtract sum_to_size sym_constrain_range
    sym_constrain_range_for_size sym_is_contiguous sym_numel sym_size sym_storage_offset sym_stride t_copy take
    take_along_dim tan tanh_backward threshold_backward tile to_dense to_dense_backward to_mkldnn to_mkldnn_backward
    to_padded_tensor to_sparse to_sparse_bsc to_sparse_bsr to_sparse_csc to_sparse_csr trace trace_backward
    transpose_copy trapezoid trapz tril_indices triplet_margin_loss triu_indices true_divide trunc type_as
    unbind_copy unfold_backward unfold_copy uniform unique_consecutive unique_dim unique_dim_consecutive
    unsqueeze_copy upsample_bicubic2d_backward upsample_bilinear2d_backward upsample_linear1d_backward
    upsample_nearest1d_backward upsample_nearest2d_backward upsample_nearest3d_backward
    upsample_trilinear3d_backward value_selecting_reduction_backward values values_copy vander view_as_complex_copy
    view_as_real_copy view_copy vstack where xlogy zero
    """,
)
register_all(
    "other",
    """
    aten.__and__ aten.__iand__ aten.__ilshift__ aten.__ior__ aten.__irshift__ aten.__ixor__ aten.__lshift__
    aten.__or__ aten.__rshift__ aten.__xor__ prim.device quantized.add_out quantized.add_relu_out
    quantized.add_scalar quantized.add_scalar_relu quantized.batch_norm quantized.batch_norm1d
    quantized.batch_norm2d quantized.batch_norm2d_relu quantized.batch_norm3d quantized.batch_norm3d_relu
    quantized.batch_norm_relu quantized.clamp quantized.dropout quantized.embedding_4bit
    quantized.embedding_bag_4bit quantized.embedding_bag_byte quantized.embedding_byte quantized.group_norm
    quantized.instance_norm quantized.layer_norm quantized.mul quantized.mul_out quantized.mul_relu
    quantized.mul_scalar quantized.mul_scalar_relu quantized.softmax torchvision._ps_roi_align_backward
    torchvision._ps_roi_pool_backward torchvision._roi_align_backward torchvision._roi_pool_backward torchvision.nms
    torchvision.ps_roi_align torchvision.ps_roi_pool torchvision.roi_align torchvision.roi_pool
    """,
    prefix="",
)
