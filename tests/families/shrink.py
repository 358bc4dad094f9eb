"""A tiny configuration of any class: the default one with smaller sizes, name by name."""

import dataclasses
from typing import Any

from tests.families.exceptions import SETTINGS

VOCABULARY = 32
PAD = 0
FIRST_SPECIAL = 20
"""Token ids from here on are kept for pictures, sounds and their marks: prompts hold smaller ones."""
WINDOW = 8
MAX_POSITIONS = 128

_SIZES: list[tuple[int, str]] = [
    (
        2,
        """num_hidden_layers n_layer n_layers num_layers decoder_layers encoder_layers num_encoder_layers
        num_decoder_layers num_key_value_heads depth num_experts_per_tok top_k_experts moe_topk moe_k topk_group n_group
        num_mamba_heads n_mamba_heads mamba_n_groups attention_num_kv_heads swa_num_key_value_heads
        num_codebooks num_global_layers conf_num_hidden_layers type_vocab_size max_window_layers hc_mult
        num_global_key_value_heads expert_layer_period attn_layer_period
        attn_layer_offset num_nextn_predict_layers layer_group_size global_attn_every_n_layers""",
    ),
    (
        4,
        """num_attention_heads n_head n_heads num_heads decoder_attention_heads encoder_attention_heads
        num_encoder_attention_heads num_decoder_attention_heads attention_heads swa_num_attention_heads num_experts
        n_routed_experts num_local_experts moe_num_experts index_n_heads num_blocks
        mamba_n_heads mamba_num_heads linear_num_key_heads linear_num_value_heads conf_num_attention_heads
        rotary_dim chunk_size mamba_chunk_size linear_num_heads""",
    ),
    (
        8,
        """head_dim global_head_dim v_head_dim qk_nope_head_dim qk_rope_head_dim index_head_dim swa_head_dim
        swa_v_head_dim linear_key_head_dim linear_value_head_dim mamba_d_head mamba_head_dim d_kv kv_channels
        mamba_d_state state_size ssm_state_size attention_head_size dim_head query_pre_attn_scalar linear_head_dim
        hidden_size_per_layer_input""",
    ),
    (16, "q_lora_rank kv_lora_rank o_lora_rank laurel_rank gated_norm_rank num_position_embeddings"),
    (WINDOW, "sliding_window sliding_window_size window_size attention_window_size attention_chunk_size"),
    (
        32,
        """hidden_size d_model n_embd embed_dim embedding_size input_embedding_size output_embedding_size
        out_hidden_size vision_output_dim backbone_hidden_size mm_embed_dim emb_dim
        adapter_in_dim adapter_out_dim text_hidden_size audio_hidden_size adapter_input_size projector_hidden_size
        projection_dim image_token_embed_dim projector_input_dim projector_output_dim hidden_dim base_channels""",
    ),
    (
        48,
        """intermediate_size moe_intermediate_size shared_expert_intermediate_size decoder_ffn_dim encoder_ffn_dim
        ffn_dim d_ff dim_ff dff d_inner ffn_hidden_size shared_intermediate_size intermediate_size_mlp
        expert_ffn_hidden_size dense_intermediate_size feed_forward_size mlp_dim moe_shared_expert_intermediate_size
        shared_experts_intermediate_size""",
    ),
    (
        MAX_POSITIONS,
        """max_position_embeddings n_positions n_ctx max_seq_len original_max_position_embeddings
        context_length max_target_positions index_topk""",
    ),
    (VOCABULARY, "vocab_size vocab_size_per_layer_input audio_vocab_size pronunciation_vocab_size shape_vocab_size"),
    (64, "num_embeddings codebook_size"),
    (28, "image_size crop_size"),
    (14, "patch_size"),
]
SMALL = {name: size for size, names in _SIZES for name in names.split()}


def shrunk(config: Any, settings: dict[str, Any] | None = None) -> Any:
    """A tiny configuration of the class of `config`, an instance with default values.

    Where layers are of several kinds, one of each kind is kept, and the first once more. settings: what to set
    otherwise, by name; a dictionary for a nested configuration sets names in that.
    """
    changes: dict[str, Any] = {}
    names = {field.name for field in dataclasses.fields(config)}
    for field in dataclasses.fields(config):
        if field.name in SMALL and type(field.default) in (int, float):
            changes[field.name] = SMALL[field.name]
    if "head_dim" in names:
        changes["head_dim"] = SMALL["head_dim"]
    if "kv_lora_rank" in names and "num_key_value_heads" in names:
        changes["num_key_value_heads"] = SMALL["num_attention_heads"]
    changes |= _layers(config)
    changes |= _tokens(config)
    settings = {**SETTINGS.get(config.model_type, {}), **(settings or {})}
    if "layer_types" in settings and "num_hidden_layers" in changes:
        changes["num_hidden_layers"] = len(settings["layer_types"])
    for name in config.sub_configs:
        part = getattr(config, name, None)
        if part is not None:
            changes[name] = shrunk(part, settings.pop(name, None))
    return type(config)(**{**changes, **settings})


def _layers(config: Any) -> dict[str, Any]:
    """One layer of each kind, and the first kind once more; the same number for all lists that go by layers."""
    names = {field.name for field in dataclasses.fields(config)}
    lists = {
        name: list(kinds)
        for name in ("layer_types", "mlp_layer_types")
        if name in names and isinstance(kinds := getattr(config, name), list | tuple) and len(kinds)
    }
    kept = {name: list(dict.fromkeys(kinds)) for name, kinds in lists.items()}
    if not kept or max(map(len, kept.values())) == 1:
        return {name: kinds * 2 for name, kinds in kept.items()}
    length = 1 + max(map(len, kept.values()))
    changes: dict[str, Any] = {name: (kinds * length)[:length] for name, kinds in kept.items()}
    return {**changes, "num_hidden_layers": length}


def _tokens(config: Any) -> dict[str, Any]:
    """No end of sequence, and the special tokens at the end of the vocabulary."""
    changes: dict[str, Any] = {}
    special = FIRST_SPECIAL
    for field in dataclasses.fields(config):
        name = field.name
        if name == "bos_token_id":
            changes[name] = 1
        elif name == "eos_token_id":
            changes[name] = VOCABULARY - 1
        elif name == "pad_token_id":
            changes[name] = PAD
        elif name == "decoder_start_token_id":
            changes[name] = 1
        elif name.endswith(("_token_id", "_token_index")) and isinstance(getattr(config, name), int):
            changes[name], special = special, special + 1
        elif name in ("is_decoder", "tie_word_embeddings"):
            changes[name] = name == "is_decoder"
    return changes
