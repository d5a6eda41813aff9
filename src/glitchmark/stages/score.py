"""One signal on one cell, for every validation ratio."""

from functools import partial

from glitchmark import registry
from glitchmark.influence.engine import ClassSums, Sums
from glitchmark.influence.factors import Factors
from glitchmark.influence.view import Influence
from glitchmark.scores import checked
from glitchmark.stages._scoring import score_arrays


def compute(spec, inputs, runtime):
    """arrays: see _scoring.score_arrays; one row a validation ratio."""
    plugin = registry.load("signal", spec["signal"]["name"])
    estimator = partial(registry.load("estimator", spec["estimator"]["name"]).function, **spec["estimator"]["params"])
    stored = inputs["influence"].arrays
    n_classes = stored["observed_neg"].shape[2]
    scores = []
    for s, validation in enumerate(stored["validation"]):
        both = {
            name: ClassSums(stored[f"{name}_neg"][s], stored[f"{name}_pos"][s])
            for name in ("observed", "under_ncf", "under_pcf")
        }
        influence = Influence(
            labels=stored["labels"],
            n_classes=n_classes,
            validation=validation,
            sums=Sums(ncf=stored["ncf"][s], pcf=stored["pcf"][s], **both),
            self_influence=stored["self_influence"],
            factors=lambda: Factors.from_arrays(inputs["train"].arrays),
            estimator=estimator,
        )
        result = plugin.function(influence, **spec["signal"]["params"])
        scores.append(checked(result, f"signal '{plugin.name}'", len(influence.labels), n_classes))
    return score_arrays(scores), {}
