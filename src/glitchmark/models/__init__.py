"""What is trained: one module a model. Importing a model's module does not import torch; building it does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from glitchmark.registry import plugin

if TYPE_CHECKING:
    from torch import nn

TRAINED = ("all", "last_block", "head")


@dataclass(frozen=True)
class Parts:
    """A classifier in the three parts that can be frozen: ``logits = head(block(stem(x)))``.

    network: the module that owns stem and block, and the head too where the library's network has one, under the names
    that weights files use.
    head_prefix: the prefix of the head's names there; a new head is trained, so these weights are not loaded.
    """

    network: nn.Module
    stem: nn.Module
    block: nn.Module
    head: nn.Linear
    head_prefix: str

    def split(self, trained: str) -> tuple[nn.Module, nn.Module]:
        """The frozen part and the part that is trained below the head, for one of :data:`TRAINED`."""
        from torch import nn

        if trained == "all":
            return nn.Identity(), nn.Sequential(self.stem, self.block)
        if trained == "last_block":
            return self.stem, self.block
        return nn.Sequential(self.stem, self.block), nn.Identity()


def model(
    name: str,
    *,
    modality: str,
    trained: tuple[str, ...] = TRAINED,
    reference: str,
    check: Callable[..., None] = lambda **_: None,
) -> Callable[[Callable], Callable]:
    """Mark a function ``(shape, n_classes, **parameters) -> Parts`` as a model.

    shape: of one prepared input: (3, H, W) for images, (d,) for tables. trained: which of TRAINED it supports.
    check: ``(**parameters)`` raises CellError for what cannot work, before anything runs and without importing torch.
    """
    return plugin("model", name, modality=modality, trained=trained, reference=reference, check=check)
