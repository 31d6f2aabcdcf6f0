"""The operators that some analysis must tell apart, by kind; what they have in common follows from the kind."""

from typing import Any

from archscope.core.operators.taxonomy import register_all

# Convolutions. Packed ones of quantized models take data and weights of several dtypes.
register_all(
    "convolution",
    "convolution _convolution convolution_overrideable cudnn_convolution cudnn_convolution_relu "
    "cudnn_convolution_add_relu miopen_convolution miopen_convolution_relu miopen_convolution_add_relu "
    "miopen_depthwise_convolution mkldnn_convolution _mps_convolution _nnpack_spatial_convolution "
    "_slow_conv2d_forward thnn_conv2d slow_conv3d slow_conv3d_forward slow_conv_dilated2d slow_conv_dilated3d "
    "_conv_depthwise2d conv_depthwise3d conv1d conv2d conv3d",
)
register_all(
    "convolution",
    "cudnn_convolution_transpose miopen_convolution_transpose _mps_convolution_transpose slow_conv_transpose2d "
    "slow_conv_transpose3d conv_transpose1d conv_transpose2d conv_transpose3d",
    transposed=True,
)
register_all(
    "convolution", "conv_tbc", formula="time-batch-channel convolution", window="none", reading="unknown", title=""
)
register_all("convolution", "deform_conv2d", "torchvision.", window="none", reading="unknown", dtypes="any", title="")
register_all(
    "convolution",
    "conv1d conv1d_relu conv1d_dynamic conv2d conv2d_relu conv2d_add conv2d_add_relu conv2d_dynamic conv3d "
    "conv3d_relu conv3d_dynamic",
    "quantized.",
    dtypes="any",
)
register_all(
    "convolution",
    "conv_transpose1d conv_transpose1d_dynamic conv_transpose2d conv_transpose2d_dynamic conv_transpose3d "
    "conv_transpose3d_dynamic",
    "quantized.",
    transposed=True,
    dtypes="any",
)
register_all(
    "backward",
    "convolution_backward convolution_backward_overrideable _slow_conv2d_backward mps_convolution_backward",
    formula="convolution backward",
)

# Matrix products. `unknown`: the axes of the result are others than those of the left factor.
register_all("product", "mm")
register_all("product", "addmm _addmm_activation", data=("mat1",), weight=("mat2",), bias=("self",))
register_all("product", "bmm", title="")
register_all("product", "baddbmm", data=("batch1",), weight=("batch2",), bias=("self",), title="")
register_all("product", "addbmm", data=("batch1",), weight=("batch2",), bias=("self",), title="", reading="unknown")
register_all("product", "matmul", formula="product by width", weight=("other",), title="")
register_all("product", "_int_mm _scaled_mm _scaled_mm_v2", dtypes="any")
_ODD: dict[str, Any] = {"dtypes": "any", "title": "", "reading": "unknown"}
register_all("product", "_grouped_mm _scaled_grouped_mm _scaled_grouped_mm_v2", formula="grouped product", **_ODD)
register_all("product", "addr", formula="outer product", data=("vec1",), weight=("vec2",), bias=("self",), **_ODD)
register_all("product", "ger", formula="outer product", weight=("vec2",), **_ODD)
register_all("product", "_trilinear", formula="trilinear", data=("i1",), weight=("i2", "i3"), **_ODD)
register_all(
    "product", "_foreach_mm", formula="products one by one", data=("self.0", "self"), weight=("mat2.0", "mat2"), **_ODD
)  # fmt: skip
register_all("product", "mv", formula="vector product", weight=("vec",))
register_all("product", "addmv", formula="vector product", data=("mat",), weight=("vec",), bias=("self",))
register_all("product", "dot", formula="vector product", weight=("tensor",), title="")
register_all("product", "vdot", formula="vector product", weight=("other",), title="")
register_all("product", "linalg_vecdot", formula="vector product", data=("x",), weight=("y",), **_ODD)
register_all("product", "linear mkldnn_linear", formula="linear", data=("input", "self"), weight=("weight",))
register_all(
    "product",
    "_weight_int8pack_mm _weight_int4pack_mm _weight_int4pack_mm_for_cpu _weight_int4pack_mm_with_scales_and_zeros",
    formula="product by width",
    dtypes="any",
)
register_all(
    "product", "_dyn_quant_matmul_4bit", formula="4-bit product", data=("inp",), weight=("packed_weights",),
    dtypes="any",
)  # fmt: skip
_PACKED: dict[str, Any] = {
    "formula": "packed linear", "dtypes": "any", "data": ("X", "input", "self", "inp"),
    "weight": ("weight", "packed_weight", "W_prepack"),
}  # fmt: skip
register_all(
    "product",
    "_mixed_dtypes_linear fbgemm_linear_int8_weight fbgemm_linear_int8_weight_fp32_activation "
    "fbgemm_linear_fp16_weight fbgemm_linear_fp16_weight_fp32_activation _wrapped_quantized_linear_prepacked",
    **_PACKED,
)
register_all(
    "product",
    "linear linear_relu linear_tanh linear_leaky_relu linear_dynamic linear_relu_dynamic linear_dynamic_fp16 "
    "linear_relu_dynamic_fp16 linear_with_input_q_dq_qweight_dq_output_fp32 "
    "linear_with_input_q_dq_qweight_dq_relu_output_fp32",
    "quantized.",
    **_PACKED,
)
register_all("backward", "linear_backward mkldnn_linear_backward", formula="linear backward")

# Attention, and layers that are fused into one kernel.
_FUSED = "flash_attention efficient_attention cudnn_attention flash_attention_for_cpu fused_attention_overrideable"
_SEQUENCE_FIRST = "flash_attention efficient_attention cudnn_attention"
register_all("attention", _FUSED, "aten._scaled_dot_product_")
register_all(
    "attention",
    "scaled_dot_product_attention _scaled_dot_product_attention_math _scaled_dot_product_attention_math_for_mps "
    "_triton_scaled_dot_attention",
)
register_all("attention", "flex_attention", "")
register_all(
    "attention",
    "_flash_attention_forward _efficient_attention_forward _cudnn_attention_forward "
    "_flash_attention_forward_no_dropout_inplace",
    formula="sequence-first attention",
)
register_all(
    "backward",
    " ".join(f"aten._scaled_dot_product_{name}_backward" for name in _FUSED.split()) + " flex_attention_backward",
    "",
    formula="attention backward",
)
register_all(
    "backward",
    " ".join(f"_{name}_backward" for name in _SEQUENCE_FIRST.split()),
    formula="sequence-first attention backward",
)
register_all("encoder", "_native_multi_head_attention _triton_multi_head_attention", formula="multi-head attention")
register_all("encoder", "_transformer_encoder_layer_fwd", formula="encoder layer")
register_all("recurrent", "mkldnn_rnn_layer _cudnn_rnn miopen_rnn _lstm_mps lstm gru rnn_tanh rnn_relu")
register_all("other", "_thnn_fused_lstm_cell", reading="attention")

# Every position of the grid, which the kernel makes itself, meets the matrix `theta`.
register_all(
    "product", "affine_grid_generator cudnn_affine_grid_generator", formula="product by width", data=("theta",), **_ODD
)

# Pools.
register_all(
    "pool",
    "max_pool1d max_pool1d_with_indices max_pool2d max_pool2d_with_indices max_pool3d max_pool3d_with_indices "
    "mkldnn_max_pool2d mkldnn_max_pool3d quantized_max_pool1d quantized_max_pool2d quantized_max_pool3d",
    title="MAX POOL",
)
register_all("pool", "max_pool1d max_pool2d", "quantized.", title="MAX POOL")
register_all("pool", "avg_pool1d avg_pool2d avg_pool3d", title="AVG POOL")
register_all("adaptive pool", "adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d", title="MAX POOL")
register_all(
    "adaptive pool",
    "adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d _adaptive_avg_pool2d _adaptive_avg_pool3d "
    "mkldnn_adaptive_avg_pool2d",
    title="AVG POOL",
)

# Normalisations. Some write running statistics without a word of it in their schema.
_RUNNING = ("running_mean", "running_var")
register_all(
    "normalisation",
    "native_batch_norm batch_norm cudnn_batch_norm miopen_batch_norm _batch_norm_impl_index",
    title="batch normalisation",
    updates=_RUNNING,
)
register_all(
    "normalisation",
    "_native_batch_norm_legit _native_batch_norm_legit_functional _native_batch_norm_legit_no_training "
    "_batch_norm_with_update _batch_norm_with_update_functional _batch_norm_no_update",
    title="batch normalisation",
)
register_all("normalisation", "native_layer_norm layer_norm", title="layer normalisation")
register_all("normalisation", "native_group_norm group_norm", title="group normalisation")
register_all("normalisation", "instance_norm", title="instance normalisation", dtypes="any")
register_all("normalisation", "rms_norm _fused_rms_norm", title="RMS normalisation", dtypes="any")

# Activations.
register_all("activation", "relu threshold", bound="ReLU", rectifies=True)
register_all("activation", "hardtanh relu6", bound="ReLU6")
register_all("activation", "sigmoid", bound="sigmoid")
register_all("activation", "tanh", bound="tanh")
register_all(
    "activation",
    "gelu silu hardswish hardsigmoid leaky_relu elu selu celu mish softplus prelu _prelu_kernel rrelu "
    "rrelu_with_noise log_sigmoid log_sigmoid_forward",
)
register_all("activation", "celu elu hardswish leaky_relu prelu relu6 sigmoid threshold", "quantized.")
register_all("other", "clamp_min", rectifies=True)

# What reads along axes.
register_all("reduction", "mean", title="AVG POOL")
register_all(
    "reduction",
    "sum amax amin max min prod logsumexp norm linalg_vector_norm var std var_mean std_mean any all argmax argmin "
    "nansum nanmean median",
)
register_all("mixing", "_softmax softmax _safe_softmax", bound="softmax")
register_all("mixing", "_log_softmax log_softmax cumsum cumprod logcumsumexp")
register_all(
    "resampling",
    "upsample_nearest1d upsample_nearest2d upsample_nearest3d _upsample_nearest_exact1d _upsample_nearest_exact2d "
    "_upsample_nearest_exact3d",
)
register_all("resampling", "upsample_linear1d upsample_bilinear2d upsample_trilinear3d", taps=2)
register_all("resampling", "upsample_bicubic2d", taps=4)
register_all(
    "padding",
    "constant_pad_nd reflection_pad1d reflection_pad2d reflection_pad3d replication_pad1d replication_pad2d "
    "replication_pad3d",
)
register_all("concatenation", "cat concat concatenate")
register_all("concatenation", "cat cat_relu", "quantized.")
register_all("addition", "add")
register_all("addition", "add add_relu", "quantized.")
register_all("layout", "stack", reading="stack")
register_all("layout", "pixel_shuffle", reading="shuffle")
register_all("layout", "pixel_unshuffle", reading="unshuffle")
register_all(
    "other",
    "flip roll sort topk index index_put index_select gather scatter scatter_add grid_sampler_2d grid_sampler_3d "
    "im2col col2im rot90 tril triu masked_select nonzero _unsafe_index max_unpool2d "
    "repeat_interleave",
    reading="unknown",
)

# Views and copies.
register_all("layout", "view _unsafe_view reshape flatten _reshape_alias unflatten ravel", reading="reshape", view=True)
register_all("layout", "permute", reading="permute", view=True)
register_all("layout", "transpose t swapaxes swapdims mT numpy_T", reading="transpose", view=True)
register_all("layout", "unsqueeze", reading="unsqueeze", view=True)
register_all("layout", "squeeze", reading="squeeze", view=True)
register_all("layout", "slice narrow", reading="slice", view=True)
register_all("layout", "select", reading="select", view=True)
register_all("layout", "unbind", reading="unbind", view=True)
register_all(
    "layout",
    "split split_with_sizes chunk unsafe_split unsafe_split_with_sizes unsafe_chunk tensor_split",
    reading="split",
    view=True,
)
register_all("layout", "expand", reading="expand", view=True)
register_all("layout", "repeat", reading="expand")
register_all("layout", "as_strided unfold", reading="unknown", view=True)
register_all(
    "layout",
    "alias detach lift_fresh diagonal linalg_diagonal movedim moveaxis view_as reshape_as expand_as broadcast_to "
    "view_as_real view_as_complex real imag adjoint mH matrix_H hsplit vsplit dsplit _conj _neg_view",
    reading="positions",
    view=True,
)
register_all("copy", "clone contiguous _to_copy to copy")
register_all("fill", "zeros ones full zeros_like ones_like full_like new_zeros new_ones new_full")

# What hands values to Python.
register_all("other", "_local_scalar_dense item is_nonzero equal", reads_values=True)
