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

    Their number is a share of the training size, as in the paper's published code (its text: a share of that
    class). The images are resized and repeated to the right channels when they are read.
    """
    k = data.count(ratio)
    chosen = rng.integers(anomalies.labels.max() + 1)
    taken = data.row[data.source == anomalies.name]  # by an earlier part of a mixture
    there = np.setdiff1d(np.flatnonzero(anomalies.labels == chosen), taken)
    if k > len(there):
        raise CellError(
            f"ratio {ratio:g} needs {k} anomalies of one class of '{anomalies.name}', but class {chosen} has "
            f"{len(there)}; use a smaller ratio or subset, or another anomaly_source"
        )
    rows = rng.choice(there, k, replace=False)
    return data.add(anomalies.name, rows, int(rng.integers(data.n_classes)), "far_ca")
