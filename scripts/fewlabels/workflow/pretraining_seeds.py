"""Pretrainings made anew for each replicate: which of them draw at random, and what is made in their place."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from fewlabels.core.errors import UserError
from fewlabels.pretraining.settings import Pretraining

LARGEST_SEED = 2**32 - 1


@dataclass(frozen=True)
class PlannedPretraining:
    """The pretrainings that are made.

    Attributes:
        entries: name, as in files and rules -> what is made.
        declared_as: that name -> its key in the config.
        made_for: key in the config, initialisation seed of a run -> name of what the run starts from; only of what is
            made for each seed.
    """

    entries: dict[str, Pretraining]
    declared_as: dict[str, str]
    made_for: dict[tuple[str, int], str] = field(default_factory=dict)

    def name_for(self, declared: str, initialisation_seed: int) -> str:
        """Name of what a run starts from that asks for a backbone or a pretraining of the config."""
        return self.made_for.get((declared, initialisation_seed), declared)


def variant_name(declared: str, seed: int) -> str:
    """Name of a pretraining that is made for the replicate with this initialisation seed.

    >>> variant_name("resnet_cam16", 2)
    'resnet_cam16_replicate2'
    """
    return f"{declared}_replicate{seed}"


def as_declared(entries: Mapping[str, Pretraining]) -> PlannedPretraining:
    """Each pretraining once, by its own seed."""
    return PlannedPretraining(dict(entries), {name: name for name in entries})


def per_replicate(
    entries: Mapping[str, Pretraining], seeds: Sequence[int], taken: Iterable[str]
) -> PlannedPretraining:
    """Each pretraining that draws at random, or starts from one that does, once for each replicate.

    A variant's seed is that of its pretraining plus that of the replicate; it starts from variants of the same
    replicate. What nothing random leads to is made once.

    Args:
        entries: those that are needed, with all that they start from.
        seeds: initialisation seeds of the runs.
        taken: all names of backbones and pretrainings in the config.

    Raises:
        UserError: a variant's name is taken, or its seed too large.
    """
    known = set(taken)
    varied = {name for name in entries if _varies(name, entries)}
    planned = PlannedPretraining({}, {})
    for name, entry in entries.items():
        if name not in varied:
            planned.entries[name], planned.declared_as[name] = entry, name
            continue
        for seed in seeds:
            made = variant_name(name, seed)
            if made in known:
                raise UserError(
                    f"key 'experiment.pretraining_seeds': per_replicate makes a pretraining {made}, and the config "
                    "has that name already: choose another there"
                )
            planned.entries[made] = _variant(name, entry, seed, varied)
            planned.declared_as[made] = name
            planned.made_for[name, seed] = made
    return planned


def _varies(name: str, entries: Mapping[str, Pretraining]) -> bool:
    """Whether anything random leads to a pretraining. A name that is not among ``entries`` is a backbone's."""
    entry = entries.get(name)
    if entry is None:
        return False
    below = (getattr(entry, key) for key in entry.starts)
    return "seed" in type(entry).model_fields or any(_varies(start, entries) for start in below)


def _variant(name: str, entry: Pretraining, seed: int, varied: set[str]) -> Pretraining:
    """What is made for one replicate."""
    fields = type(entry).model_fields
    changes: dict[str, object] = {
        key: variant_name(getattr(entry, key), seed)
        for key in entry.starts
        if getattr(entry, key) in varied
    }
    if "seed" in fields:
        own: int = getattr(entry, "seed", 0)
        if own + seed > LARGEST_SEED:
            raise UserError(
                f"key 'pretraining.{name}.seed' is {own}: with the replicate's {seed} it exceeds {LARGEST_SEED}: "
                "choose smaller ones"
            )
        changes["seed"] = own + seed
    if "title" in fields:
        changes["title"] = f"{getattr(entry, 'title', '') or name}, replicate {seed}"
    return entry.model_copy(update=changes)
