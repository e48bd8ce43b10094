"""What the listed arms need, and the runs that they make: everything else that a config declares is inert."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fewlabels.core.errors import UserError, did_you_mean, nearest
from fewlabels.core.fractions import per_cent_labels, per_class_labels
from fewlabels.core.run_grid import GridArm, RunGrid
from fewlabels.core.run_sheet import Run
from fewlabels.core.settings import TrainingSettings
from fewlabels.pretraining.settings import (
    Autoencoder,
    MaskedImages,
    MultiSource,
    OnSeveralSets,
    Pretraining,
    Supervised,
    Trained,
)
from fewlabels.workflow.config_model import Arm, Config
from fewlabels.workflow.configuration import training_settings
from fewlabels.workflow.frozen_encoders import check_classifier
from fewlabels.workflow.names import check_planned_names
from fewlabels.workflow.pretraining_seeds import PlannedPretraining, as_declared, per_replicate

GROUPED = "grouped"


@dataclass(frozen=True)
class ListedArm:
    """An arm that is run, on one split."""

    name: str
    recipe: Arm
    split: str
    title: str
    training: TrainingSettings
    baseline: str


@dataclass(frozen=True)
class Experiment:
    """What a config asks for.

    Attributes:
        arms: name -> arm, in the order of the tables.
        planned: the pretrainings that some arm needs, and what of them is made for which seed.
        backbones: those that some arm or pretraining needs.
        datasets: the target first, then the sources.
        grid: what the run sheet is drawn up from.
        runs: the run sheet.
    """

    arms: dict[str, ListedArm]
    planned: PlannedPretraining
    backbones: list[str]
    datasets: list[str]
    grid: RunGrid
    runs: list[Run]

    @property
    def recipes(self) -> dict[str, Arm]:
        """Arm -> what its config says."""
        return {name: arm.recipe for name, arm in self.arms.items()}

    @property
    def pretraining(self) -> dict[str, Pretraining]:
        """The pretrainings that are made, in the order of their tables: by name."""
        return self.planned.entries


def plan_experiment(config: Config) -> Experiment:
    """Find what the listed arms need.

    Raises:
        UserError: a name is unknown, a chain runs in a circle, something can't be what it is used as.
    """
    try:
        arms = {arm.name: arm for arm in _listed_arms(config)}
        _check_table(config)
        _check_predicted_masks(config)
        closure = _Closure(config)
        for name in config.experiment.arms:
            for place, choice in enumerate(config.arms[name].encoders):
                closure.need(choice.encoder, "encoder", f"arms.{name}.encoders.{place}.encoder")
            names = [choice.encoder for choice in config.arms[name].encoders]
            if len(set(names)) < len(names):
                raise UserError(
                    f"key 'arms.{name}.encoders' names an encoder twice: keep one of them"
                )
        grid = _grid(config, arms)
        planned = _planned_pretraining(config, closure)
        figures = [name for name, arm in config.table.figures.items() if arm in arms]
        check_planned_names(arms, planned.entries, figures)
        return Experiment(
            arms=arms,
            planned=planned,
            backbones=sorted(closure.backbones),
            datasets=[
                config.target,
                *(name for name in sorted(closure.datasets) if name != config.target),
            ],
            grid=grid,
            runs=grid.runs(),
        )
    except UserError as error:
        text = str(error)
        raise UserError(text if text.startswith("config: ") else f"config: {text}") from None


def _planned_pretraining(config: Config, closure: "_Closure") -> PlannedPretraining:
    # By name: Snakemake puts what an overlay names before the rest, so that no order of declaration lasts.
    needed = {name: config.pretraining[name] for name in sorted(closure.pretraining)}
    if config.experiment.pretraining_seeds == "declared":
        return as_declared(needed)
    # Each initialisation seed of a crossed run is that of a replicate.
    return per_replicate(
        needed, config.experiment.replicates, [*config.backbones, *config.pretraining]
    )


def _check_predicted_masks(config: Config) -> None:
    """Refuse arms that see images through predicted masks and mask them otherwise, too, or have none to learn from."""
    target = config.datasets[config.target]
    for name in config.experiment.arms:
        arm = config.arms[name]
        if arm.predicted_masks == "off":
            continue
        if arm.masks != "off":
            raise UserError(
                f"key 'arms.{name}.masks' is {arm.masks}, and predicted_masks is {arm.predicted_masks}: set one of "
                "them to off"
            )
        if not target.masks and not target.table:
            raise UserError(
                f"key 'arms.{name}.predicted_masks' is {arm.predicted_masks}, but the target has no masks to learn "
                f"them from: set datasets.{config.target}.masks, or predicted_masks to off"
            )


def _check_table(config: Config) -> None:
    """Refuse names of figures and of reported numbers that are declared nowhere; that all are run is not asked.

    Published numbers of a data set that was taken out of the config are left alone.
    """
    arms = [*config.arms, *map(grouped_arm, config.arms)]
    datasets = list(config.datasets)
    named = [("table.figures", name, arms) for name in config.table.figures.values()]
    for dataset, numbers in config.table.reported.items():
        if dataset in datasets:
            known = [*arms, *config.pretraining]
            named += [(f"table.reported.{dataset}", name, known) for name in numbers]
        elif nearest(dataset, datasets):
            named.append(("table.reported", dataset, datasets))
    for key, name, known in named:
        if name not in known:
            raise UserError(f"key '{key}' names '{name}': {did_you_mean(name, known)}")


def reported_numbers(config: Config, experiment: Experiment) -> dict[str, float | dict[str, float]]:
    """The published numbers of what is run, of the data sets that they are of."""
    on = dict.fromkeys(experiment.arms, config.target)
    declared_as = experiment.planned.declared_as
    on |= {
        name: dataset_of(config, declared)
        for name, declared in declared_as.items()
        if not isinstance(config.pretraining[declared], OnSeveralSets)
    }
    found = {
        name: config.table.reported.get(dataset, {}).get(declared_as.get(name, name))
        for name, dataset in on.items()
    }
    return {name: number for name, number in found.items() if number is not None}


class _Closure:
    """Collects what is needed, from the arms downwards."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.pretraining: list[str] = []
        self.backbones: set[str] = set()
        self.datasets: set[str] = set()
        both = sorted(set(config.backbones) & set(config.pretraining))
        if both:
            raise UserError(
                f"key 'pretraining.{both[0]}': a backbone has that name: choose another"
            )

    def need(self, name: str, what: str, key: str, chain: Sequence[str] = ()) -> None:
        """Add something that must give ``what`` (encoder, features, labels) or be it (backbone), and all below it."""
        if what in ("encoder", "backbone") and name in self.config.backbones:
            self.backbones.add(name)
            return
        if name not in self.config.pretraining:
            known = [n for n, entry in self.config.pretraining.items() if entry.gives == what]
            known = [*(self.config.backbones if what in ("encoder", "backbone") else ()), *known]
            raise UserError(f"key '{key}' names '{name}': {did_you_mean(name, known)}")
        entry = self.config.pretraining[name]
        if entry.gives != what:
            raise UserError(
                f"key '{key}' names '{name}', which gives {entry.gives}: it must "
                + {"encoder": "give an encoder", "backbone": "be a backbone"}.get(
                    what, f"give {what}"
                )
            )
        if name in chain:
            circle = " -> ".join([*chain[chain.index(name) :], name])
            raise UserError(f"key '{key}': the chain runs in a circle ({circle}): break it")
        if name in self.pretraining:
            return
        for below, gives, key_below in _starts(name, entry):
            self.need(below, gives, key_below, [*chain, name])
        self._check_datasets(name, entry)
        self.pretraining.append(name)

    def _check_datasets(self, name: str, entry: Pretraining) -> None:
        key = f"pretraining.{name}.{'datasets' if isinstance(entry, OnSeveralSets) else 'dataset'}"
        datasets = entry.own_datasets()
        for dataset in datasets:
            if dataset not in self.config.datasets:
                raise UserError(
                    f"key '{key}' names '{dataset}': "
                    + did_you_mean(dataset, list(self.config.datasets))
                )
            if datasets.count(dataset) > 1:
                raise UserError(f"key '{key}' names '{dataset}' twice: once is enough")
            self.datasets.add(dataset)
            if dataset == self.config.target:
                self._check_target_as_source(key, entry)
            if entry.tested and not self.config.datasets[dataset].has_test:
                raise UserError(
                    f"key 'datasets.{dataset}': {name} is tested on images of its own: set splits.test or holdout"
                )
        self._check_labels(name, entry)
        self._check_image_size(name, entry)

    def _check_labels(self, name: str, entry: Pretraining) -> None:
        """Every data set of a method that learns labels must have some; pseudo-labels must be of its own images."""
        if not isinstance(entry, Supervised | MultiSource):
            return
        key, datasets = f"pretraining.{name}", entry.own_datasets()
        of = None if entry.labels is None else dataset_of(self.config, entry.labels)
        if of is not None and of not in datasets:
            raise UserError(
                f"key '{key}.labels' are of another data set: give those of {' or '.join(datasets)}"
            )
        for dataset in datasets:
            if dataset != of and len(self.config.datasets[dataset].classes) < 2:
                raise UserError(
                    f"key '{key}': the data set {dataset} has no labels: declare its classes, or give pseudo-labels"
                )

    def _check_image_size(self, name: str, entry: Pretraining) -> None:
        size = self.config.images.size
        if isinstance(entry, Autoencoder):
            divisor = 2 ** len(entry.channels)
            if size % divisor:
                raise UserError(
                    f"key 'images.size' must be a multiple of {divisor}: "
                    f"{name} halves the image {len(entry.channels)} times"
                )
        if isinstance(entry, MaskedImages) and (
            size % entry.patch_size or size == entry.patch_size
        ):
            raise UserError(
                f"key 'pretraining.{name}.patch_size' must be a smaller divisor of images.size ({size})"
            )

    def _check_target_as_source(self, key: str, entry: Pretraining) -> None:
        """Pretraining may see the target's training images, but not their labels, and no test image."""
        if isinstance(entry, MultiSource) or (
            isinstance(entry, Supervised) and entry.labels is None
        ):
            raise UserError(
                f"key '{key}' names the target: an encoder that was trained on its labels would show them all to "
                "every fraction; choose another data set, or a method that needs no labels"
            )
        if isinstance(entry, Supervised):
            raise UserError(
                f"key '{key.removesuffix('dataset')}labels' are of the target, whose test images have no "
                "pseudo-labels to be tested on: choose another data set, or a method that needs no labels"
            )
        if GROUPED in self.config.experiment.splits:
            raise UserError(
                f"key '{key}' names the target, of whose given training images experiment.splits: grouped takes "
                "test images: choose another data set, or take grouped out"
            )


def _starts(name: str, entry: Pretraining) -> Iterator[tuple[str, str, str]]:
    """What a pretraining starts from: name, what it must give, key."""
    for key, gives in entry.starts.items():
        below = getattr(entry, key)
        if below:
            yield below, gives, f"pretraining.{name}.{key}"


def dataset_of(config: Config, name: str) -> str:
    """The data set that a pretraining is made of, itself or through what it starts from."""
    entry = config.pretraining[name]
    own = getattr(entry, "dataset", None)
    return own or dataset_of(config, getattr(entry, next(iter(entry.starts))))


def pretraining_training(config: Config, name: str) -> TrainingSettings:
    """Settings of a pretraining's training.

    Raises:
        UserError: a key is unknown, missing or wrong, or of no use to the method.
    """
    entry, key = config.pretraining[name], f"pretraining.{name}.training"
    if not isinstance(entry, Trained):
        raise TypeError(f"{name} trains nothing")
    for ignored in entry.ignores:
        if ignored in entry.training:
            raise UserError(
                f"config: key '{key}.{ignored}' is of no use to the method {entry.method}: take it out"
            )
    return training_settings({"training.defaults": config.training.defaults, key: entry.training})


def _listed_arms(config: Config) -> Iterator[ListedArm]:
    splits = ["given", *([GROUPED] if GROUPED in config.experiment.splits else [])]
    baseline = config.statistics.baseline
    for name in config.experiment.arms:
        if config.experiment.arms.count(name) > 1:
            raise UserError(f"key 'experiment.arms' lists '{name}' twice: once is enough")
        if name not in config.arms:
            known = list(config.arms)
            raise UserError(f"key 'experiment.arms' names '{name}': {did_you_mean(name, known)}")
    if baseline not in config.arms:
        raise UserError(
            f"key 'statistics.baseline' names '{baseline}': {did_you_mean(baseline, list(config.arms))}"
        )
    if len(config.experiment.arms) > 1 and baseline not in config.experiment.arms:
        raise UserError(
            f"key 'statistics.baseline' is '{baseline}', with which no arm is compared unless it is run: add it to "
            f"experiment.arms, or name one of these: {', '.join(config.experiment.arms)}"
        )
    for split in splits:
        for name in config.experiment.arms:
            recipe = config.arms[name]
            presets, chosen = config.training.presets, recipe.preset
            if chosen is not None and chosen not in presets:
                meant = did_you_mean(chosen, list(presets))
                raise UserError(f"key 'arms.{name}.preset' names '{chosen}': {meant}")
            training = training_settings(
                {
                    "training.defaults": config.training.defaults,
                    "training.classification": config.training.classification,
                    **({f"training.presets.{chosen}": presets[chosen]} if chosen else {}),
                    f"arms.{name}.training": recipe.training,
                }
            )
            check_classifier(name, recipe, training)
            if recipe.unlabelled.method != "off" and training.averaging != "ema":
                raise UserError(
                    f"key 'arms.{name}.unlabelled' needs the mean weights of the training as a teacher: "
                    "set averaging: ema in its training"
                )
            compared = baseline if baseline in config.experiment.arms and name != baseline else ""
            if split == "given":
                yield ListedArm(name, recipe, split, recipe.title, training, compared)
                continue
            if grouped_arm(name) in config.arms:
                raise UserError(
                    f"key 'arms.{grouped_arm(name)}': experiment.splits makes an arm of that name: choose another"
                )
            title = f"{recipe.title}, split by slide"
            compared = grouped_arm(compared) if compared else ""
            yield ListedArm(grouped_arm(name), recipe, split, title, training, compared)


def grouped_arm(arm: str) -> str:
    """Name of the arm that follows the recipe of ``arm`` on the grouped split."""
    return f"{arm}Grouped"


def _grid(config: Config, arms: dict[str, ListedArm]) -> RunGrid:
    """The grid of runs."""
    experiment = config.experiment
    in_per_cent = per_cent_labels(config.subsets.fractions)
    per_class = per_class_labels(config.subsets.per_class)
    # Given subsets leave nothing to cross.
    drawn = config.subsets.source == "drawn"
    crossed = [s for s in experiment.crossed.replicates if s in experiment.replicates and drawn]
    wanted = per_cent_labels(experiment.crossed.fractions)
    return RunGrid(
        target=config.target,
        arms=[GridArm(name=a.name, split=a.split, baseline=a.baseline) for a in arms.values()],
        fractions=[*in_per_cent, *per_class],
        replicates=experiment.replicates,
        crossed_replicates=crossed if len(crossed) > 1 else [],
        crossed_fractions=[f for f in in_per_cent if f in wanted] if len(crossed) > 1 else [],
    )
