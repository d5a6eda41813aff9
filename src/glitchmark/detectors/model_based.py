"""A model trained on few clean samples, whose loss ranks the many."""

import numpy as np

from glitchmark.detectors import Data, Scores, detector
from glitchmark.errors import CellError
from glitchmark.parameters import at_least_one, one_of, positive


@detector(
    "model_based",
    targets="mislabeled",
    reads=("model", "annotator"),
    reference="Nguyen-Duc et al., ACL 2023, appendix E, Algorithm 2",
)
def model_based(
    data: Data,
    *,
    clean: int = 0,
    rounds: int = 5,
    epochs: int = 7,
    cleaned: int = 0,
    annotator: str = "simulated",
    confidence: float = 0.9,
) -> Scores:
    """Loss of the given label under a model that learns clean samples alone; its prediction is the suggested label.

    clean: validation samples that it starts with, 0: five sevenths of them (500 of 700 in the paper). The others are
    Z+, half of them with another label drawn at random: the model of the round that ranks most of those into Z+'s upper
    half by its loss is kept, the first on ties. rounds: of ``epochs`` each; training goes on from round to round, the
    optimizer starts anew. cleaned: samples that are added between two rounds, 0: a fifth of ``clean``.
    annotator: "simulated": true labels of the samples with the highest entropy; those of no class are put aside. Or
    "model", which reads no true label: of the samples whose given label the model predicts with at least ``confidence``
    those with the highest entropy, as they are labeled.
    All samples are ranked by the kept model's loss, also those that were annotated, as in the paper; for these the
    annotator's label is suggested.

    Raises CellError where the validation samples are too few.
    """
    from scipy.special import log_softmax  # a third of a second to import

    model, rng = data.model, np.random.default_rng(data.seed)
    simulated = one_of(annotator, "annotator", ("simulated", "model")) == "simulated"
    at_least_one(rounds, "rounds")
    at_least_one(epochs, "epochs")
    positive(confidence, "confidence")
    shuffled = model.n_train + rng.permutation(len(model.labels_val))
    clean = _clean_size(clean, len(shuffled))
    cleaned = at_least_one(cleaned or max(1, clean // 5), "cleaned")
    rows, held_out = shuffled[:clean], shuffled[clean:]
    learned = model.labels_val[rows - model.n_train]
    held_labels, changed = _half_changed(model.labels_val[held_out - model.n_train], data.n_classes, rng)
    training, asked = np.arange(model.n_train), np.zeros(model.n_train, bool)
    answers = np.full(model.n_train, -1)
    most, loss, predicted = -1, None, None
    for number in range(rounds):
        model.fit(rows, learned, epochs)
        found = _count_found(_loss(log_softmax(model.logits(held_out), axis=1), held_labels), changed)
        log_p = log_softmax(model.logits(training), axis=1)
        if found > most:
            most, loss, predicted = found, _loss(log_p, data.labels), log_p.argmax(axis=1)
        if number == rounds - 1:
            break  # further samples would train nothing
        candidates = ~asked if simulated else ~asked & _confirmed(log_p, data.labels, confidence)
        added = _most_uncertain(log_p, candidates, cleaned)
        asked[added] = True
        answers[added] = data.annotate(added) if simulated else data.labels[added]
        added = added[answers[added] >= 0]
        rows, learned = np.concatenate([rows, added]), np.concatenate([learned, answers[added]])
    annotated = simulated & (answers >= 0)
    return Scores(loss, suggested=np.where(annotated, answers, predicted))


def _clean_size(clean: int, m: int) -> int:
    """How many of m validation samples the model starts with; at least two are left for Z+."""
    clean = clean or round(5 * m / 7)
    if not 1 <= clean <= m - 2:
        raise CellError(
            f"clean: {clean} of {m} validation samples must be at least 1, and leave 2 to choose the model by; change "
            "it, or use more validation samples"
        )
    return clean


def _half_changed(labels: np.ndarray, n_classes: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Labels of which half, rounded down, are changed to another random class, and which those are, bool (k,)."""
    changed = np.zeros(len(labels), bool)
    changed[rng.permutation(len(labels))[: len(labels) // 2]] = True
    return np.where(changed, (labels + rng.integers(1, n_classes, len(labels))) % n_classes, labels), changed


def _count_found(loss: np.ndarray, changed: np.ndarray) -> int:
    """Changed labels among as many samples of the highest loss; the first of equal ones counts."""
    return int(changed[np.argsort(-loss, kind="stable")[: changed.sum()]].sum())


def _confirmed(log_p: np.ndarray, labels: np.ndarray, confidence: float) -> np.ndarray:
    """Where the given label is predicted with at least ``confidence``, bool (n,)."""
    return (log_p.argmax(axis=1) == labels) & (np.exp(log_p.max(axis=1)) >= confidence)


def _most_uncertain(log_p: np.ndarray, candidates: np.ndarray, count: int) -> np.ndarray:
    """The ``count`` candidates with the highest entropy, fewer if there are no more, int64."""
    among = np.flatnonzero(candidates)
    entropy = -(np.exp(log_p[among]) * log_p[among]).sum(axis=1)
    return among[np.argsort(-entropy, kind="stable")[:count]]


def _loss(log_p: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return -log_p[np.arange(len(labels)), labels]
