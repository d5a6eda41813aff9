"""What a run is made of: data sets, models, glitches and methods, each with its plug-in and its parameters."""

from dataclasses import dataclass, fields
from typing import Any

from glitchmark.datasets import Description
from glitchmark.datasets._splits import Split
from glitchmark.glitches import ANOMALOUS
from glitchmark.registry import Plugin
from glitchmark.training.settings import Settings

SETTINGS = tuple(f.name for f in fields(Settings) if f.name != "checkpoints")


@dataclass(frozen=True)
class Dataset:
    """params go into keys, paths (parameters that are files) do not: the description's digest does."""

    id: str
    plugin: Plugin
    params: dict[str, Any]
    paths: dict[str, str]
    description: Description
    split: Split
    anomaly_source: str


@dataclass(frozen=True)
class Model:
    """weights: path of a file, of the folder that keeps published ones, or ""; weights_digest: of the file's content,
    or their name (timm's with the file's SHA-256). input_size: pixels a side; None as they are.
    datasets: ids of those it is trained on; () for all of its modality."""

    id: str
    plugin: Plugin
    params: dict[str, Any]
    trained: str
    weights: str
    weights_digest: str
    input_size: int | None
    datasets: tuple[str, ...]
    settings: dict[str, Any]


@dataclass(frozen=True)
class Method:
    """A glitch's part, an estimator, a signal, a toy problem or a figure with its parameters."""

    id: str
    plugin: Plugin
    params: dict[str, Any]

    @property
    def ref(self) -> dict[str, Any]:
        """What a result depends on."""
        return {"name": self.plugin.name, "params": self.params}

    @property
    def variant(self) -> str:
        """Parameters that differ from their defaults, "key=value" joined by commas."""
        differing = {k: v for k, v in self.params.items() if v != self.plugin.parameters.get(k)}
        return ",".join(f"{k}={v}" for k, v in sorted(differing.items()))


@dataclass(frozen=True)
class Estimator(Method):
    """against: "validation" or "training", the samples whose loss the influence is on."""

    against: str

    @property
    def ref(self) -> dict[str, Any]:
        """What a result depends on."""
        return super().ref | {"against": self.against}


@dataclass(frozen=True)
class Glitch:
    """One or several parts; ratio: the sum of theirs."""

    id: str
    parts: tuple[Method, ...]
    ratio: float

    @property
    def label(self) -> str:
        """Id and ratio, unique in the grid."""
        return f"{self.id}-{self.ratio:g}"

    @property
    def needs_anomaly_source(self) -> bool:
        """Whether any part takes samples from another data set."""
        return any(part.plugin.info["needs_anomaly_source"] for part in self.parts)

    @property
    def is_control(self) -> bool:
        """Whether it breaks nothing, so that no truth is known."""
        return not any(part.plugin.info["kind"] for part in self.parts)

    @property
    def changes_inputs(self) -> bool:
        """Whether any part makes or changes inputs, not labels alone."""
        return any(part.plugin.info["kind"] == ANOMALOUS for part in self.parts)

    @property
    def is_human(self) -> bool:
        """Whether it is the labels that people gave."""
        return any(part.plugin.info["annotated"] for part in self.parts)

    def applies_to(self, dataset: Dataset) -> bool:
        """Whether every part can be applied to the data set's modality; a data set with labels that people gave brings
        its own glitches, and gets no others."""
        fits = all(dataset.description.modality in part.plugin.info["modalities"] for part in self.parts)
        return fits and self.is_human == dataset.description.human_noise


@dataclass(frozen=True)
class Detector(Method):
    """models: ids of those on which it is run, where it reads a model; glitches: of those it is run on; () for all."""

    models: tuple[str, ...]
    glitches: tuple[str, ...]

    def applies_to(self, model: Model | None, glitch: Glitch) -> bool:
        """Whether it is asked for. model: None for what reads none."""
        reads_inputs = self.plugin.info["reads"] == ("inputs",)
        fits = model is None if reads_inputs else model is not None and model.id in (self.models or (model.id,))
        return fits and glitch.id in (self.glitches or (glitch.id,))


@dataclass(frozen=True)
class Repair:
    """What is done with what methods found, before a model is trained again.

    action: "remove", "relabel", "annotate" or "perfect" (see stages.retrain). methods: ids of those whose findings
    count. budget: share of the training samples that are acted on; None for the true number of glitches. training:
    "restart" or "continue", for so many epochs. models, glitches: ids of those whose cells are trained again; () for
    all.
    """

    action: str
    methods: tuple[str, ...]
    budget: float | None
    training: str
    epochs: int
    models: tuple[str, ...]
    glitches: tuple[str, ...]

    @property
    def label(self) -> str:
        """What the tables call it."""
        return self.action + ("_continue" if self.training == "continue" else "")

    def applies_to(self, model: Model, glitch: Glitch) -> bool:
        """Whether there is something to repair, and it is asked for."""
        return (
            not glitch.is_control
            and model.id in (self.models or (model.id,))
            and glitch.id in (self.glitches or (glitch.id,))
        )

    @property
    def ref(self) -> dict[str, Any]:
        """What a result depends on."""
        on = {"epochs": self.epochs} if self.training == "continue" else {}
        return {"action": self.action, "budget": self.budget, "training": self.training, **on}


@dataclass(frozen=True)
class Grid:
    """Everything that a run is made of. anomaly_pools: data sets that are read for anomalies only. reference: the
    estimator that the others are compared with, if any."""

    config: dict[str, Any]
    datasets: tuple[Dataset, ...]
    anomaly_pools: tuple[Dataset, ...]
    models: tuple[Model, ...]
    glitches: tuple[Glitch, ...]
    estimators: tuple[Estimator, ...]
    reference: Estimator | None
    signals: tuple[Method, ...]
    detectors: tuple[Detector, ...]
    repairs: tuple[Repair, ...]
    toys: tuple[Method, ...]
    figures: tuple[Method, ...]

    def settings(self, dataset: Dataset, model: Model) -> dict[str, Any]:
        """Training settings of a pair: the model's, overridden by the matching entries of ``training``."""
        settings = dict(model.settings)
        for rule in self.config["training"]:
            if rule.get("dataset", dataset.id) == dataset.id and rule.get("model", model.id) == model.id:
                settings |= {key: rule[key] for key in SETTINGS if key in rule}
        return settings

    @property
    def ranking(self) -> str:
        """The method that orders the ranked lists."""
        known = [method.id for method in (*self.signals, *self.detectors)]
        return self.config["ranking"] or ("cfrank" if "cfrank" in known else known[0])

    def pool(self, name: str) -> Dataset:
        """The data set or anomaly pool with this id."""
        return next(d for d in (*self.datasets, *self.anomaly_pools) if d.id == name)

    def pairs(self) -> list[tuple[Dataset, Model]]:
        """Data sets with the models of their modality."""
        return [
            (d, m)
            for d in self.datasets
            for m in self.models
            if m.plugin.info["modality"] == d.description.modality and d.id in (m.datasets or (d.id,))
        ]
