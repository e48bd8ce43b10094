"""What the listed arms need, and the runs that they make: everything else that a config declares is inert."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fewlabels.core.errors import UserError, did_you_mean
from fewlabels.core.run_sheet import Run
from fewlabels.core.settings import TrainingSettings
from fewlabels.pretraining.settings import Autoencoder, Cluster, Extract, Pretraining, Supervised
from fewlabels.workflow.config_model import Arm, Config
from fewlabels.workflow.configuration import fraction_labels, training_settings

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
        pretraining: those that some arm needs, in the order of their tables: by name.
        backbones: those that some arm or pretraining needs.
        datasets: the target first, then the sources.
        runs: the run sheet.
    """

    arms: dict[str, ListedArm]
    pretraining: dict[str, Pretraining]
    backbones: list[str]
    datasets: list[str]
    runs: list[Run]


def plan_experiment(config: Config) -> Experiment:
    """Find what the listed arms need.

    Raises:
        UserError: a name is unknown, a chain runs in a circle, something can't be what it is used as.
    """
    try:
        arms = {arm.name: arm for arm in _listed_arms(config)}
        closure = _Closure(config)
        for name in config.experiment.arms:
            for place, choice in enumerate(config.arms[name].encoders):
                closure.need(choice.encoder, "encoder", f"arms.{name}.encoders.{place}.encoder")
            names = [choice.encoder for choice in config.arms[name].encoders]
            if len(set(names)) < len(names):
                raise UserError(
                    f"key 'arms.{name}.encoders' names an encoder twice: keep one of them"
                )
        # By name: Snakemake puts what an overlay names before the rest, so that no order of declaration lasts.
        return Experiment(
            arms=arms,
            pretraining={
                name: entry
                for name, entry in sorted(config.pretraining.items())
                if name in closure.pretraining
            },
            backbones=[name for name in sorted(closure.backbones)],
            datasets=[
                config.target,
                *(
                    name
                    for name in sorted(closure.datasets)
                    if name != config.target
                ),
            ],
            runs=_runs(config, arms),
        )
    except UserError as error:
        text = str(error)
        raise UserError(text if text.startswith("config: ") else f"config: {text}") from None


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
        """Add something that must give ``what`` (encoder, features, labels), and all below it."""
        if what == "encoder" and name in self.config.backbones:
            self.backbones.add(name)
            return
        if name not in self.config.pretraining:
            known = [n for n, entry in self.config.pretraining.items() if entry.gives == what]
            known = [*(self.config.backbones if what == "encoder" else ()), *known]
            raise UserError(f"key '{key}' names '{name}': {did_you_mean(name, known)}")
        entry = self.config.pretraining[name]
        if entry.gives != what:
            raise UserError(
                f"key '{key}' names '{name}', which gives {entry.gives}: it must give "
                + ("an encoder" if what == "encoder" else what)
            )
        if name in chain:
            circle = " -> ".join([*chain[chain.index(name) :], name])
            raise UserError(f"key '{key}': the chain runs in a circle ({circle}): break it")
        if name in self.pretraining:
            return
        for below, gives, key_below in _starts(name, entry):
            self.need(below, gives, key_below, [*chain, name])
        self._check_dataset(name, entry)
        self.pretraining.append(name)

    def _check_dataset(self, name: str, entry: Pretraining) -> None:
        if isinstance(entry, Cluster):
            return
        key, dataset = f"pretraining.{name}", getattr(entry, "dataset", "")
        if dataset not in self.config.datasets:
            raise UserError(
                f"key '{key}.dataset' names '{dataset}': "
                + did_you_mean(dataset, list(self.config.datasets))
            )
        declared = self.config.datasets[dataset]
        self.datasets.add(dataset)
        if isinstance(entry, Supervised):
            if entry.labels is None and len(declared.classes) < 2:
                raise UserError(
                    f"key '{key}': the data set {dataset} has no labels: declare its classes, or give pseudo-labels"
                )
            if entry.labels is not None and dataset_of(self.config, entry.labels) != dataset:
                raise UserError(
                    f"key '{key}.labels' are of another data set: give those of {dataset}"
                )
        if isinstance(entry, Supervised | Autoencoder) and not declared.has_test:
            raise UserError(
                f"key 'datasets.{dataset}': {name} is tested on images of its own: set splits.test or holdout"
            )
        if isinstance(entry, Autoencoder):
            divisor = 2 ** len(entry.channels)
            if self.config.images.size % divisor:
                raise UserError(
                    f"key 'images.size' must be a multiple of {divisor}: "
                    f"{name} halves the image {len(entry.channels)} times"
                )


def _starts(name: str, entry: Pretraining) -> Iterator[tuple[str, str, str]]:
    """What a pretraining starts from: name, what it must give, key."""
    if isinstance(entry, Supervised | Extract):
        yield entry.start, "encoder", f"pretraining.{name}.start"
    if isinstance(entry, Supervised) and entry.labels:
        yield entry.labels, "labels", f"pretraining.{name}.labels"
    if isinstance(entry, Cluster):
        yield entry.features, "features", f"pretraining.{name}.features"


def dataset_of(config: Config, name: str) -> str:
    """The data set that a pretraining is made of."""
    entry = config.pretraining[name]
    return dataset_of(config, entry.features) if isinstance(entry, Cluster) else entry.dataset


def pretraining_training(config: Config, name: str) -> TrainingSettings:
    """Settings of a pretraining's training."""
    layers = config.training.defaults, config.pretraining[name].training
    return training_settings(f"pretraining.{name}.training", *layers)


def _listed_arms(config: Config) -> Iterator[ListedArm]:
    splits = ["given", *([GROUPED] if GROUPED in config.experiment.splits else [])]
    baseline = config.statistics.baseline
    if baseline not in config.arms:
        raise UserError(
            f"key 'statistics.baseline' names '{baseline}': {did_you_mean(baseline, list(config.arms))}"
        )
    for split in splits:
        for name in config.experiment.arms:
            if name not in config.arms:
                known = list(config.arms)
                raise UserError(
                    f"key 'experiment.arms' names '{name}': {did_you_mean(name, known)}"
                )
            recipe = config.arms[name]
            layers = config.training.defaults, config.training.classification, recipe.training
            training = training_settings(f"arms.{name}.training", *layers)
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


def _runs(config: Config, arms: dict[str, ListedArm]) -> list[Run]:
    """The run sheet: the table's runs, then those that cross seeds and stand in no table."""
    experiment = config.experiment
    fractions = fraction_labels(config)
    seeds = experiment.replicates
    # Given subsets leave nothing to cross.
    drawn = config.subsets.source == "drawn"
    crossed_seeds = [seed for seed in experiment.crossed.replicates if seed in seeds and drawn]
    wanted = {f"{fraction:.10g}" for fraction in experiment.crossed.fractions}
    crossed_fractions = [f for f in fractions if f in wanted and len(crossed_seeds) > 1]
    runs = []
    for arm in arms.values():
        for fraction in fractions:
            inside = fraction in crossed_fractions
            for seed in seeds:
                both = inside and seed in crossed_seeds
                runs.append(_run(config, arm, fraction, seed, seed, True, both))
    for arm in arms.values():
        for fraction in crossed_fractions:
            for subset in crossed_seeds:
                for initialisation in crossed_seeds:
                    if subset != initialisation:
                        runs.append(
                            _run(config, arm, fraction, subset, initialisation, False, True)
                        )
    return runs


def _run(
    config: Config,
    arm: ListedArm,
    fraction: str,
    subset: int,
    initialisation: int,
    tabled: bool,
    crossed: bool,
) -> Run:
    return Run(
        arm=arm.name,
        target=config.target,
        fraction=fraction,
        subset_seed=subset,
        initialisation_seed=initialisation,
        split=arm.split,
        baseline=arm.baseline,
        tabled=tabled,
        crossed=crossed,
    )
