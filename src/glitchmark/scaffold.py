"""Templates for plug-ins of one's own: a signal that works, and its test."""

import keyword
import re
from importlib.util import find_spec
from pathlib import Path

from glitchmark import registry
from glitchmark.errors import UserError

SIGNAL = '''\
"""The signal NAME: harm to other classes. Put your own idea in its place."""

import numpy as np

from glitchmark.signals import Influence, signal

# A signal turns influence into one suspicion score a training sample, higher = more suspicious. n training samples,
# C classes; influence is positive where a training sample helps a validation sample, negative where it harms it.
#
#   influence.labels                        int64 (n,), observed labels; influence.n_classes is C
#   influence.class_sums()                  .neg, .pos and .total, each (n, C): negative, positive and all influence of
#                                           each training sample, summed over the validation samples of each class
#   influence.class_sums(labels)            the same at the last checkpoint, if the samples had these labels, int64 (n,)
#   influence.ncf, influence.pcf            int64 (n,), the class that each sample harms most; the class other than its
#                                           own that it helps most
#   influence.ncf_neg, influence.pcf_pos    (n,) harm to the observed class if the sample had the label ncf; (n, C) help
#                                           to each class if it had the label pcf, both at the last checkpoint
#   influence.self_influence                float64 (n,), influence of each sample on itself
#   influence.factors                       features, logits and labels of training and validation samples
#   influence.validation                    bool, which of the validation samples count
#
# These are there with reads="influence", the default. A signal that needs less or more says so in its decorator:
# reads="factors" (no class sums), "training" (factors of the training samples alone) or "dynamics" (class sums at each
# checkpoint, influence.dynamics, besides). It then runs no more often than it must.
#
# targets: what the signal looks for, "mislabeled", "anomalous" or "both". reference: the paper, or your note.


@signal("NAME", targets="mislabeled", reference="mine")
def NAME(influence: Influence, *, own_class: bool = False) -> np.ndarray:
    """Negative influence on the classes other than the observed one, or on all of them.

    own_class: whether harm to the observed class counts as well.
    """
    # arguments after the * can be set in the config: {path: ./NAME.py, own_class: true}
    harm = -influence.class_sums().neg  # what is stored is read-only, and this is a copy
    if not own_class:
        harm[np.arange(len(harm)), influence.labels] = 0
    # to suggest labels or kinds as well: return Scores(score, suggested=influence.ncf), Scores from glitchmark.signals
    return harm.sum(axis=1)
'''

TEST = '''\
"""The signal NAME on three clusters; a few samples have the label of another cluster."""

from pathlib import Path

import numpy as np
import pytest

from glitchmark import registry
from glitchmark.influence.estimators.tracin import TracIn
from glitchmark.influence.factors import Factors
from glitchmark.influence.view import Influence
from glitchmark.scores import checked

MISLABELED = np.array([3, 50, 90])


@pytest.fixture(scope="module")
def scores():
    """What the signal makes of them, after the checks of the workflow: shape, type and finite values."""
    rng = np.random.default_rng(0)
    labels, labels_val = np.repeat(np.arange(3), 40), np.repeat(np.arange(3), 20)
    features, features_val = (
        (4 * np.eye(3)[y] + 0.3 * rng.normal(size=(len(y), 3))).astype(np.float32) for y in (labels, labels_val)
    )
    labels[MISLABELED] = (labels[MISLABELED] + 1) % 3
    factors = Factors(
        features_train=features[None],
        features_val=features_val[None],
        logits_train=features[None],
        logits_val=features_val[None],
        labels_train=labels,
        labels_val=labels_val,
        learning_rates=np.array([0.1]),
        batch_size=8,
    )
    plugin = registry.load("signal", "", Path(__file__).with_name("NAME.py"))
    result = plugin.function(Influence.from_factors(factors, TracIn))
    return checked(result, plugin.name, n=120, n_classes=3)


def test_every_sample_has_a_finite_score(scores):
    assert scores.score.shape == (120,)
    assert np.isfinite(scores.score).all()
    assert len(np.unique(scores.score)) > 1


def test_mislabeled_samples_are_more_suspicious_than_the_others(scores):
    # not so for a signal that looks for anomalies alone: replace this by what yours should find
    assert scores.score[MISLABELED].min() > np.median(scores.score)
'''

NEXT = """\
wrote NAME.py, a signal that works, and its test, test_NAME.py
  1. put your idea into NAME.py; its comments say what a signal can read
  2. pytest test_NAME.py
  3. add ./NAME.py to the list `signals` in config.yaml
  4. glitchmark run: it computes the scores of NAME and the tables, and nothing else"""


def new_signal(name: str, folder: Path) -> str:
    """Write ``name``.py and test_``name``.py into a folder; returns what to do next.

    Raises UserError for a name that cannot be one, and where one of the files is there.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise UserError(f"new signal: '{name}' cannot name a signal; use lower snake case, such as my_signal.")
    for kind in registry.PACKAGES:
        if name in registry.names(kind):
            raise UserError(f"new signal: glitchmark ships a {kind} that is called '{name}'; choose another name.")
    files = {folder / f"{name}.py": SIGNAL, folder / f"test_{name}.py": TEST}
    for path in files:
        if path.exists():
            raise UserError(f"new signal: '{path.name}' is there already; choose another name, or move the file.")
    # a file signal.py in the project's folder would be imported in place of Python's own module
    if find_spec(name) is not None:
        raise UserError(f"new signal: '{name}' is the name of a Python module; choose another one, such as my_{name}.")
    for path, template in files.items():
        path.write_text(template.replace("NAME", name))
    return NEXT.replace("NAME", name)
