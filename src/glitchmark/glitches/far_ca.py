"""Far clustered anomalies."""

import numpy as np

from glitchmark.errors import CellError
from glitchmark.glitches import ANOMALOUS, AnomalySource, TrainingData, glitch


@glitch(
    "far_ca",
    kind=ANOMALOUS,
    modalities=("image",),
    needs_anomaly_source=True,
    reference="Myrtakis et al., KDD 2025, section 3.2",
)
def far_ca(data: TrainingData, rng: np.random.Generator, anomalies: AnomalySource, *, ratio: float) -> TrainingData:
    """Samples of one random class of another image set are added, all with one random label.

    Their number is a share of the training size, as in the paper's published code (its text: a share of that class).
    Where the class has fewer samples, another random class is taken as well, and so on. The images are resized and
    given the right channels. For tables see far_cluster.
    """
    k = data.count(ratio)
    taken = data.row[data.source == anomalies.name]  # by an earlier part of a mixture
    free = np.setdiff1d(np.flatnonzero(anomalies.usable), taken)
    classes, there = np.arange(anomalies.labels.max() + 1), free[:0]
    while len(there) < k:
        if len(classes) == 0:
            raise CellError(
                f"ratio {ratio:g} needs {k} anomalies, but '{anomalies.name}' has {len(there)} samples; use a smaller "
                "ratio or subset, or another anomaly_source"
            )
        chosen = classes[rng.integers(len(classes))]
        classes = classes[classes != chosen]
        there = np.concatenate([there, free[anomalies.labels[free] == chosen]])
    rows = rng.choice(there, k, replace=False)
    return data.add(anomalies.name, rows, anomalies.read(rows), int(rng.integers(data.n_classes)), "far_ca")
