"""Confident learning."""

from glitchmark.detectors import Data, Scores, detector


@detector("cleanlab", targets="mislabeled", reads=("out_of_sample",), reference="Northcutt et al., JAIR 2021; cleanlab")
def cleanlab(data: Data, *, method: str = "self_confidence") -> Scores:
    """CleanLab's label-quality score of cross-validated probabilities; the most probable class is the suggestion.

    method: "self_confidence", "normalized_margin" or "confidence_weighted_entropy".
    """
    from cleanlab.rank import get_label_quality_scores  # over a second to import

    quality = get_label_quality_scores(data.labels, data.out_of_sample, method=method)
    return Scores(-quality, suggested=data.out_of_sample.argmax(axis=1))
