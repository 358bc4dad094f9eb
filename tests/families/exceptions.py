"""Needs of single families beyond smaller sizes, and set-ups that a family's defaults do not cover."""

from collections.abc import Callable
from typing import Any

Settings = dict[str, Any]

ROPE: Settings = {"rope_type": "default", "rope_theta": 10000.0}
MROPE: Settings = {**ROPE, "mrope_section": [2, 1, 1], "partial_rotary_factor": 1.0}
"""Positions in time, height and width, for heads of width 8."""

SETTINGS: dict[str, Settings] = {
    "bamba": {"attn_layer_indices": [1], "mamba_d_head": 16},
    "blt": {"encoder_hash_byte_group_vocab": 64},
    "cohere_compass_text": {"rope_parameters": {"full_attention": ROPE}},
    "dbrx": {"attn_config": {"rope_theta": 10000.0, "clip_qkv": 8.0}},
    "deepseek_v2": {"num_experts_per_tok": 2},
    "dots1": {"n_routed_experts": 4, "num_experts_per_tok": 2, "n_shared_experts": 1},
    "gemma3n_text": {
        "layer_types": ["sliding_attention", "full_attention"] * 2, "num_hidden_layers": 4, "num_kv_shared_layers": 2,
    },
    "gpt_neo": {"attention_types": [[["global", "local"], 1]]},
    "granitemoehybrid": {"layer_types": ["linear_attention", "full_attention"], "mamba_d_head": 16},
    "inkling2_loop_text": {"unpadded_vocab_size": 32},
    "inkling2_text": {"unpadded_vocab_size": 32},
    "jamba": {"attn_layer_period": 2, "attn_layer_offset": 1},
    "lfm2": {"layer_types": ["conv", "full_attention"]},
    "lfm2_moe": {"layer_types": ["conv", "full_attention"], "num_dense_layers": 1},
    "mamba2": {"head_dim": 16, "n_groups": 2},
    "nemotron": {"num_key_value_heads": 2},
    "nemotron_h": {"n_groups": 2, "n_group": 1, "topk_group": 1},
    "qwen4_exp_text": {
        "indexer_n_heads": 2, "indexer_kv_heads": 1, "indexer_head_dim": 8, "indexer_budget": 64,
        "indexer_compress_ratio": 2,
    },
    "recurrent_gemma": {"num_hidden_layers": 3},
    "reformer": {
        "axial_pos_embds_dim": [16, 16], "axial_pos_shape": [8, 16], "local_attn_chunk_length": 16,
        "lsh_attn_chunk_length": 16, "attn_layers": ["local", "lsh"], "num_buckets": 4,
    },
    "xlstm": {"hidden_size": 128},
    "zamba": {"layers_block_type": ["linear_attention", "hybrid", "linear_attention"], "num_hidden_layers": 3},
    "zamba2": {"layers_block_type": ["linear_attention", "hybrid", "linear_attention"], "num_hidden_layers": 3},
    **{
        f"{name}_text": {"rope_parameters": MROPE}
        for name in ("qwen2_vl", "qwen2_5_vl", "qwen3_vl", "qwen3_vl_moe", "glm4v", "glm4v_moe", "glm46v", "glm_ocr",
                     "paddleocr_vl", "qwen2_5_omni", "qwen3_omni_moe", "cosmos3_omni", "cosmos3_edge")
    },
    "ernie4_5_vl_moe_text": {"rope_parameters": {**ROPE, "mrope_section": [1, 1, 2]}},
    "chameleon": {"vocabulary_map": {"<image>": 20}},
    "cohere2_vision": {"alignment_intermediate_size": 48},
    "chameleon_vqgan": {"resolution": 64},
    "deepseek_ocr2_text": {"mlp_layer_types": ["dense", "sparse"], "num_experts_per_tok": 2},
    "emu3": {"vocabulary_map": {"<image>": 20}},
    "fun_asr_nano": {"adaptor_config": {"intermediate_size": 8}},
    "florence_vision": {
        "depths": [1] * 4, "embed_dim": [32] * 4, "num_heads": [2] * 4, "num_groups": [2] * 4, "projection_dim": 32,
    },
    "glm5_next_text": {"index_topk": 16, "qk_rope_head_dim": 0},
    "granite_docling": {
        "text_config": {"embedding_multiplier": 1.0, "residual_multiplier": 1.0, "attention_multiplier": 0.4,
                        "logits_scaling": 1.0},
    },
    "hunyuan_vl_text": {"rope_parameters": {**ROPE, "mrope_section": [1, 1, 1, 1]}},
    "mimi": {"upsample_groups": 32},
    "molmo2_adapter": {"vision_feature_layer": [1, 0]},
    "nemotron_h_omni": {"vision_config": {"video_temporal_patch_size": 2}},
    "qwen2_5_omni_thinker": {"vision_start_token_id": 24},
    "qwen3_omni_moe_thinker": {"vision_start_token_id": 24},
    "step3p5": {"sliding_window": 8},
    "zaya": {"num_experts_per_tok": 1},
}  # fmt: skip


PREPARED: dict[str, Callable[[Any], None]] = {
    "t5": lambda model: setattr(model.generation_config, "decoder_start_token_id", 0),
    "udop": lambda model: setattr(model.generation_config, "decoder_start_token_id", 0),
    "xmod": lambda model: model.set_default_language("en_XX"),
}
"""What is done to a model that has just been made."""

INPUTS: dict[str, tuple[str, tuple[int, ...]]] = {
    "whisper": ("input_features", (80, 64)),
    "speech_to_text": ("input_features", (40, 80)),
    "moonshine": ("input_values", (4000,)),
}
"""Sounds and pictures: the name of the input, and its shape behind the batch."""

_WINDOWS: Settings = {"layer_types": ["sliding_attention", "full_attention"], "sliding_window": 8}

SETUPS: dict[tuple[str, str], Settings] = {
    ("bert", "as an encoder"): {"is_decoder": False},
    ("deepseek_v32", "texts longer than it sees"): {"index_topk": 4},
    ("exaone4", "without windows"): {"layer_types": ["full_attention"] * 2, "sliding_window": None},
    ("falcon", "alibi"): {"alibi": True},
    ("falcon", "new decoder architecture"): {"new_decoder_architecture": True, "num_kv_heads": 2},
    ("falcon", "sequential, a key per head"): {"parallel_attn": False, "multi_query": False},
    ("gemma2", "both directions"): {"use_bidirectional_attention": True},
    ("gemma3_text", "both directions"): {"use_bidirectional_attention": True},
    ("gemma4_text", "shared keys"): {
        "layer_types": ["sliding_attention", "full_attention"] * 2, "num_hidden_layers": 4, "num_kv_shared_layers": 2,
    },
    ("gemma4_text", "both directions"): {"use_bidirectional_attention": "all"},
    ("gpt_bigcode", "a key per head"): {"multi_query": False},
    ("granitemoehybrid", "attention alone"): {"layer_types": ["full_attention"] * 2},
    ("lfm2", "attention alone"): {"layer_types": ["full_attention"] * 2},
    ("llama", "attention biases, one key for all heads"): {"attention_bias": True, "num_key_value_heads": 1},
    ("llama", "dynamic rope"): {"rope_parameters": {**ROPE, "rope_type": "dynamic", "factor": 2.0}},
    ("llama", "yarn"): {"rope_parameters": {**ROPE, "rope_type": "yarn", "factor": 2.0}},
    ("minimax_m3_vl_text", "sparse attention"): {"layer_types": ["minimax_m3_sparse", "full_attention"]},
    ("mistral", "without a window"): {"sliding_window": None},
    ("mllama", "cross attention"): {"text_config": {"cross_attention_layers": [1], "num_hidden_layers": 3}},
    ("mpt", "with its cache"): {"use_cache": True},
    ("mpt", "without alibi"): {"attn_config": {"alibi": False}},
    ("opt", "norms behind"): {"do_layer_norm_before": False},
    ("phi3", "longrope"): {"rope_parameters": {**ROPE, "rope_type": "longrope", "short_factor": [1.0] * 4,
                                               "long_factor": [2.0] * 4, "partial_rotary_factor": 1.0},
                           "original_max_position_embeddings": 64},
    ("qwen4_exp_text", "n-gram embeddings"): {
        "ple_layer_ids": [1], "heads_per_ngram": 2, "ngram_vocab_size_base": 50, "eos_token_id": 31,
        "layer_types": ["linear_attention", "indexed_attention"],
    },
    ("qwen4_exp_text", "texts longer than it sees"): {"indexer_budget": 8},
    **{(name, "sliding windows"): {**_WINDOWS, "use_sliding_window": True, "max_window_layers": 1}
       for name in ("qwen2", "qwen2_moe", "qwen3", "qwen3_moe")},
    ("smollm3", "sliding windows"): {**_WINDOWS, "use_sliding_window": True},
    ("starcoder2", "a window"): {"sliding_window": 8},
}  # fmt: skip
"""Families that can be set up in ways that matter here and that their defaults do not show."""
