"""FT-Transformer for tables."""

from glitchmark.errors import CellError
from glitchmark.models import Parts, model


@model("ft_transformer", modality="table", trained=("all",), reference="Gorishniy et al., NeurIPS 2021, section 3.3")
def ft_transformer(shape: tuple[int, ...], n_classes: int, *, n_blocks: int = 3, kv_compression: float = 0.0) -> Parts:
    """rtdl_revisiting_models' FT-Transformer with the default sizes that it gives for 1 to 6 blocks.

    shape: (d,); a column is a token. Features: (n, d_block), 192 for 3 blocks: the class token after normalisation and
    activation. kv_compression: share of the tokens that keys and values are projected to (Linformer, by head), since
    memory and time grow with d squared; 0 for full attention. Raises CellError for other values.
    """
    from glitchmark.models._rtdl import NumericFTTransformer, parts

    if n_blocks not in range(1, 7):
        raise CellError(f"n_blocks: {n_blocks!r} must be between 1 and 6, for which the library has default sizes")
    if not 0 <= kv_compression < 1:
        raise CellError(f"kv_compression: {kv_compression!r} must be at least 0 (full attention) and less than 1")
    sizes = NumericFTTransformer.get_default_kwargs(n_blocks)
    if kv_compression:
        sizes |= {"linformer_kv_compression_ratio": kv_compression, "linformer_kv_compression_sharing": "headwise"}
    network = NumericFTTransformer(n_cont_features=shape[0], cat_cardinalities=[], d_out=n_classes, **sizes)
    return parts(network, network.backbone.output)
