"""Model cards: what each arm is, what it was trained and tested on, and every run with its checkpoint."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from fewlabels.core.fractions import fraction_text
from fewlabels.core.run_sheet import Run
from fewlabels.reporting.page.sections import Section
from fewlabels.reporting.page.source import Source
from fewlabels.reporting.page.tables import html_table
from fewlabels.reporting.page.templating import render
from fewlabels.reporting.summary_data import PUBLISHED
from fewlabels.reporting.summary_tables import METRIC_NAMES
from fewlabels.reporting.tables import (
    NOTHING,
    Table,
    find,
    markdown_code,
    markdown_text,
    number,
    with_interval,
)


@dataclass(frozen=True)
class Card:
    """One arm: facts in Markdown, and its runs."""

    arm: str
    title: str
    facts: Mapping[str, str]
    runs: Markup


def section(source: Source) -> Section:
    """A card for each arm."""
    cards = [card(source, arm) for arm in source.arms]
    return Section("models", "Model cards", render("model_cards.jinja", cards=cards))


def card(source: Source, arm: str) -> Card:
    """What is known of one arm."""
    recipe = source.recipes.get(arm, {})
    training = recipe.get("training", {})
    unlabelled = recipe.get("unlabelled", {}).get("method", "off")
    runs = [run for run in source.runs if run.arm == arm]
    facts = {
        "Encoders": "; ".join(map(encoder, recipe.get("encoders", []))) or NOTHING,
        "Classifier": str(recipe.get("classifier", NOTHING)).replace("_", " "),
        "Masks": f"{recipe.get('masks', NOTHING)}, predicted masks {recipe.get('predicted_masks', NOTHING)}",
        "Training images without labels": unlabelled.replace("_", " "),
        "Training": settings_in_words(training) or NOTHING,
        "For": f"telling the classes of {markdown_text(source.settings.target_title)} in images like those of the data "
        "card; not tested on other stains, scanners or patients unless an external test set is listed, and not for "
        "diagnosis",
        "Known limits": _limits(source, arm),
    }
    licences = [
        f"`{name}`: {markdown_text(licence)}"
        for name, licence in source.settings.licences.items()
        if any(choice["encoder"] == name for choice in recipe.get("encoders", []))
    ]
    if licences:
        facts["Licence of weights"] = "; ".join(licences)
    return Card(
        arm, source.title_of(arm), facts, html_table(runs_table(source, runs), f"Runs of `{arm}`")
    )


def encoder(choice: Mapping[str, Any]) -> str:
    """An encoder and which of its blocks are trained.

    >>> encoder({"encoder": "a", "trained": ["layer4"]}), encoder({"encoder": "a", "trained": []})
    ('`a`, trained: layer4', '`a`, frozen')
    """
    trained = choice.get("trained") or []
    blocks = trained if isinstance(trained, str) else ", ".join(trained)
    return f"`{choice['encoder']}`, " + (f"trained: {blocks}" if blocks else "frozen")


def settings_in_words(settings: Mapping[str, Any]) -> str:
    """Settings one after another, nested ones by their path.

    >>> settings_in_words({"epochs": 2, "flips": {"on": True}})
    'epochs 2, flips.on true'
    """
    return ", ".join(f"{key} {value}" for key, value in _flat(settings))


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, str]]:
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        elif value is not None and value != []:
            shown = str(value).lower() if isinstance(value, bool) else value
            yield (
                f"{prefix}{key}",
                ", ".join(map(str, shown)) if isinstance(shown, list) else str(shown),
            )


def _limits(source: Source, arm: str) -> str:
    lines = [
        "its probabilities are as the network gives them: how sure it rightly is, stands under Calibration"
    ]
    if arm in source.settings.transductive:
        lines.append("its encoder had seen test images")
    if source.settings.synthetic:
        lines.append("it has seen drawings alone")
    return "; ".join(lines)


def runs_table(source: Source, runs: Iterable[Run]) -> Table:
    """A line for each run."""
    tables, settings = source.tables, source.settings
    metric = METRIC_NAMES[tables.primary]
    scored = [row for row in tables.single_runs if row["selection"] != PUBLISHED]
    lines = []
    for run in runs:
        here = {"arm": run.arm, "fraction": run.fraction, "replicate": run.replicate}
        counted = find(tables.labels, **here)
        record = source.record(run)
        lines.append(
            [
                fraction_text(run.fraction),
                run.replicate,
                *(number(counted[key] if counted else "", 0) for key in ("labels", "steps")),
                with_interval(find(scored, **here, metric=tables.primary), settings.decimals),
                *(number(str(record.get(key, "")), 0) for key in ("epochs", "seconds")),
                " ".join(str(record.get(key, "")) for key in ("device", "precision")).strip()
                or NOTHING,
                markdown_code(run.path("models", "pt")),
            ]
        )
    header = ["labels", "seed", "images", "steps", metric, "epochs", "seconds", "on", "checkpoint"]
    return Table(header, lines)
