"""FT-Transformer for tables."""

from glitchmark.errors import CellError
from glitchmark.models import Parts, model
from glitchmark.parameters import at_least_one


@model("ft_transformer", modality="table", trained=("all",), reference="Gorishniy et al., NeurIPS 2021, section 3.3")
def ft_transformer(
    shape: tuple[int, ...],
    n_classes: int,
    *,
    n_blocks: int = 3,
    d_block: int = 0,
    attention_n_heads: int = 8,
    ffn_d_hidden_multiplier: float = 4 / 3,
    kv_compression: float = 0.0,
) -> Parts:
    """rtdl_revisiting_models' FT-Transformer; the defaults are the library's (its get_default_kwargs).

    shape: (d,); a column is a token. Features: (n, d_block): the class token after normalisation and activation.
    n_blocks: 1 to 6, for which the library has dropout rates and widths. d_block: width of a token, a multiple of
    attention_n_heads; 0 for the library's, 192 for 3 blocks. ffn_d_hidden_multiplier: hidden units of a feed-forward
    block, times d_block. kv_compression: share of the tokens that keys and values are projected to (Linformer, by
    head), since memory and time grow with d squared; 0 for full attention. Raises CellError for other values.
    """
    from glitchmark.models._rtdl import NumericFTTransformer, hidden_units, parts

    if n_blocks not in range(1, 7):
        raise CellError(f"n_blocks: {n_blocks!r} must be between 1 and 6, for which the library has default sizes")
    if not 0 <= kv_compression < 1:
        raise CellError(f"kv_compression: {kv_compression!r} must be at least 0 (full attention) and less than 1")
    sizes = NumericFTTransformer.get_default_kwargs(n_blocks)
    width = at_least_one(d_block, "d_block") if d_block else sizes["d_block"]
    if width % at_least_one(attention_n_heads, "attention_n_heads"):
        raise CellError(
            f"d_block: {width} must be a multiple of attention_n_heads, which is {attention_n_heads}; each head reads "
            "an equal share of a token"
        )
    sizes |= {
        "d_block": width,
        "attention_n_heads": attention_n_heads,
        "ffn_d_hidden": hidden_units(width, ffn_d_hidden_multiplier, "ffn_d_hidden_multiplier"),
        "ffn_d_hidden_multiplier": None,
    }
    if kv_compression:
        sizes |= {"linformer_kv_compression_ratio": kv_compression, "linformer_kv_compression_sharing": "headwise"}
    network = NumericFTTransformer(n_cont_features=shape[0], cat_cardinalities=[], d_out=n_classes, **sizes)
    return parts(network, network.backbone.output)
