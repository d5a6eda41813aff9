"""What a method takes in all: its own job and the jobs that only the methods like it read."""

import numpy as np
import pandas as pd

from glitchmark.figures._rows import TRAINING

# what a method reads besides the trained model -> the stage that computes it, and the columns that tell whose it is
UPSTREAM = {
    "influence": ("influence", [*TRAINING, "estimator", "validation_noise"]),
    "dynamics": ("dynamics", [*TRAINING, "estimator", "validation_noise"]),
    "out_of_sample": ("crossval", TRAINING),
}
OWN = ("score", "detect", "refit")


def method_costs(costs: pd.DataFrame, methods: pd.DataFrame) -> pd.DataFrame:
    """A row a method and cell: TRAINING, modality, method, estimator, seconds (its own and those of the influence, the
    dynamics or the cross-validation that it reads), training (seconds of training the cell's model, NaN for methods
    without one) and peak_memory_mb (the largest of its own and those).

    costs: of the run. methods: its rows of signals and detectors, with id and reads.
    """
    text = ["dataset", "modality", "model", "estimator", "glitch", "method"]
    costs = costs.assign(**{column: costs[column].fillna("") for column in text})
    costs = costs[costs["modality"] != "toy"]
    columns = [*TRAINING, "modality", "method", "estimator", "validation_noise", "seconds", "peak_memory_mb"]
    own = costs[costs["stage"].isin(OWN)][columns]
    reads = methods[methods["kind"].isin(["signal", "detector"])].set_index("id")["reads"]
    reads = {name: {of} if isinstance(of, str) else set(of) for name, of in reads.items()}
    own = own.reset_index(drop=True)
    for what, (stage, columns) in UPSTREAM.items():
        # influence by checkpoint is given besides influence
        readers = {name for name, of in reads.items() if what in of or (what == "influence" and "dynamics" in of)}
        theirs = costs[costs["stage"] == stage].groupby(columns)[["seconds", "peak_memory_mb"]].sum()
        found = own[columns].join(theirs, on=columns)
        reading = own["method"].isin(readers)
        own["seconds"] += found["seconds"].where(reading, 0).fillna(0)
        own["peak_memory_mb"] = np.fmax(own["peak_memory_mb"], found["peak_memory_mb"].where(reading))
    training = costs[costs["stage"] == "train"].groupby(TRAINING)["seconds"].sum().rename("training")
    return own.join(training, on=TRAINING)
