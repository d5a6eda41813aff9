"""Two blobs: the linear problem, whose loss is convex."""

import numpy as np

from glitchmark.toys import Toy, toy
from glitchmark.toys._flipped import Model, comparison, points


@toy("blobs", reference="Chhabra et al., ICML 2025, section 4, Fig. 1A-D, appendix B.1.1")
def blobs(
    seed: int,
    *,
    distance: float = 6.0,
    flipped: int = 5,
    c: float = 0.01,
    scores_predictions: bool = True,
) -> Toy:
    """scikit-learn's make_blobs, 150 training and 100 test samples of two classes; logistic regression.

    distance: between the blobs' centres, in their standard deviations; the paper says that a line separates them.
    flipped: labels of each class, out of 75. c: scikit-learn's inverse strength of regularisation, of which the paper
    tells nothing. Influence that is summed over the training samples, as the paper's is, would be zero for a model that
    minimises their loss alone: it is as reliable as the regularisation is strong. scores_predictions: whether
    CleanLab's scores judge the labels that the model predicts, as in the paper (appendix B.2.4), or those given.
    """
    from sklearn.datasets import make_blobs  # a second to import
    from sklearn.linear_model import LogisticRegression

    centres = distance / np.sqrt(8) * np.array([[-1, -1], [1, 1]])

    def train(x: np.ndarray, labels: np.ndarray) -> Model:
        fitted = LogisticRegression(C=c).fit(x, labels)

        def model(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            half = fitted.decision_function(x)[:, None] / 2
            return x.astype(np.float32), np.hstack([-half, half]).astype(np.float32)

        return model

    data = points(lambda size, own: make_blobs(size, centers=centres, random_state=own), (150, 100), flipped, seed)
    return comparison(data, train, seed, scores_predictions)
