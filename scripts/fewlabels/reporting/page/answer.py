"""The first screen: the question, the answer of each arm in words, the figure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from fewlabels.core.fractions import fraction_text, of_labels
from fewlabels.reporting.copies import copies_in_training
from fewlabels.reporting.label_efficiency_figure import MetricPanel, label_efficiency
from fewlabels.reporting.label_efficiency_panels import metric_panels
from fewlabels.reporting.page.source import Source
from fewlabels.reporting.page.svg import inline
from fewlabels.reporting.page.templating import render
from fewlabels.reporting.summary_efficiency import ratio_with_interval
from fewlabels.reporting.summary_tables import LARGEST, METRIC_NAMES
from fewlabels.reporting.tables import NOTHING, Row, number, verdict_cell, with_interval

#: Verdict -> sign beside it, so that it is told without colours.
SIGNS = {"better": "▲", "worse": "▼", "equivalent": "=", "undecided": "?", "no verdict": "–"}

#: Of names with fewer letters three stand side by side in a legend.
SHORT_NAME = 12


@dataclass(frozen=True)
class Verdict:
    """What one comparison says.

    Attributes:
        labels: how many, as text.
        kind: a key of ``SIGNS``.
        limits: what limits it, "" if nothing.
        gain: the difference with its interval, in points.
        detectable: the smallest difference that would have been found, in points; "" where it is not known.
    """

    labels: str
    kind: str
    limits: str
    gain: str
    detectable: str

    @property
    def sign(self) -> str:
        return SIGNS[self.kind]

    @property
    def points(self) -> str:
        """The difference without sign and interval."""
        return self.gain.split(" [")[0].lstrip("+-")


@dataclass(frozen=True)
class ArmAnswer:
    """What is known of one arm beside its baseline; all but its ``name`` and its title in Markdown."""

    name: str
    arm: str
    title: str
    baseline: str
    verdicts: Sequence[Verdict]
    overall: str
    saved: str


@dataclass(frozen=True)
class PlainArm:
    """An arm that is compared with none: a baseline, or the only arm."""

    arm: str
    title: str
    scores: Sequence[tuple[str, str]]


def answer_screen(source: Source) -> Markup:
    """All of it, as HTML."""
    tables, settings = source.tables, source.settings
    answers = arm_answers(source)
    compared = {answer.name for answer in answers}
    panel = _panels(source)[0]
    return render(
        "answer.jinja",
        target=settings.target_title,
        metric=METRIC_NAMES[tables.primary],
        headline=headline(answers, METRIC_NAMES[tables.primary]),
        answers=answers,
        others=[_plain_arm(source, arm) for arm in source.arms if arm not in compared],
        alarms=_alarms(source),
        facts=_facts(source),
        figure=_figure(panel, "label-efficiency", settings.alpha),
        level=f"{100 * (1 - settings.alpha):g}",
    )


def macro_f1_figure(source: Source) -> Markup | None:
    """The same figure of macro-F1, where that is not the primary metric."""
    panels = _panels(source)[1:]
    name, alpha = "label-efficiency-second", source.settings.alpha
    return _figure(panels[0], name, alpha) if panels else None


def _figure(panel: MetricPanel, name: str, alpha: float) -> Markup:
    """One metric against the number of labels."""
    longest = max(len(line.arm) for line in panel.lines)
    columns = 3 if longest < SHORT_NAME else 2
    figure = label_efficiency("", [panel], 100 * (1 - alpha), columns)
    figure.set_size_inches(5.4, 4.4)
    return inline(figure, name, f"{panel.metric} against the number of labels", description(panel))


def _panels(source: Source) -> list[MetricPanel]:
    tables, settings = source.tables, source.settings
    return metric_panels(
        source.cells, tables.labels, tables.metrics, tables.primary, settings.reported
    )


def description(panel: MetricPanel) -> str:
    """What a panel shows, in words, for who does not see it."""
    lines = []
    for line in panel.lines:
        points = [
            f"{value:.1f} at {labels:,.0f} labels"
            for labels, value in zip(line.labels, line.values, strict=True)
            if not math.isnan(value)
        ]
        lines.append(f"{line.arm}: {', '.join(points) or 'no value'}")
    return f"Per cent of {panel.metric}. " + "; ".join(lines) + "."


def arm_answers(source: Source) -> list[ArmAnswer]:
    """The arms that have a baseline, in the table's order."""
    tables, settings = source.tables, source.settings
    answers = []
    for arm in tables.arms:
        rows = [
            row
            for fraction in tables.fractions
            for row in tables.own_comparisons
            if (row["arm"], row["fraction"], row["metric"]) == (arm, fraction, tables.primary)
        ]
        if not rows:
            continue
        pooled = [row for row in tables.pooled_efficiency if row["arm"] == arm]
        several = len(rows) > 1
        answers.append(
            ArmAnswer(
                arm,
                settings.marked(arm),
                source.title_of(arm),
                f"`{rows[0]['baseline']}`",
                [_verdict(row, settings.decimals) for row in rows],
                _overall(pooled[0], source) if pooled and several else "",
                labels_saved(pooled[0]) if pooled else "",
            )
        )
    return answers


def _verdict(row: Row, decimals: int) -> Verdict:
    # That it is equivalent comes with the margin, which the statistics name.
    kind = row["verdict"].partition(" within ")[0]
    shown, _, limits = verdict_cell(row).partition(" (")
    limits = limits.removesuffix(")")
    if kind not in SIGNS:
        kind = "no verdict"
    if kind == "no verdict":
        limits = row["state"] or limits
    elif shown.endswith("though equivalent"):
        limits = "; ".join(filter(None, ["though equivalent", limits]))
    known = row["detectable"]
    detectable = ""
    if known:
        large = float(known) > LARGEST
        detectable = f"over {LARGEST}" if large else number(known, decimals)
    gain = with_interval(row, decimals, "difference", signed=True)
    return Verdict(fraction_text(row["fraction"]), kind, limits, gain, detectable)


def _overall(row: Row, source: Source) -> str:
    """The mean gain over all numbers of labels, or "" where there is none."""
    if not row["difference"]:
        return ""
    gain = with_interval(row, source.settings.decimals, "difference", signed=True)
    p = f", p {number(row['p_holm'], 3)} adjusted" if row["p_holm"] else ""
    return f"{gain} points over all numbers of labels{p}"


def labels_saved(row: Row) -> str:
    """How many times as many labels the baseline needs, or why that is not known.

    >>> labels_saved({"baseline": "a", "ratio": "2", "state": "", "ratio_bound": "", "ratio_low": ""})
    'Labels saved: `a` needs 2.00 times as many for the same score'
    """
    if not row["ratio"]:
        return f"Labels saved: not known ({row['state']})" if row["state"] else ""
    begin = (
        "Labels saved: `{}` needs"
        if float(row["ratio"]) >= 1
        else "No labels saved: `{}` needs only"
    )
    limits = f" ({row['state']})" if row["state"] else ""
    needs = begin.format(row["baseline"])
    return f"{needs} {ratio_with_interval(row)} times as many for the same score{limits}"


def headline(answers: Sequence[ArmAnswer], metric: str) -> list[str]:
    """The answer in a few sentences, in Markdown; ``metric``: the name of the primary one."""
    if not answers:
        return ["No arm is compared with another: the numbers stand by themselves."]
    lines = []
    for kind, words in (("better", "does better than"), ("worse", "does worse than")):
        for answer in answers:
            found = [one for one in answer.verdicts if one.kind == kind]
            if found:
                by = ", ".join(f"by {one.points} at {one.labels}" for one in found)
                lines.append(
                    f"**{answer.arm} {words} {answer.baseline}**, {by} (points of {metric})."
                )
    if not any(one.kind == "better" for answer in answers for one in answer.verdicts):
        lines.insert(0, "**No arm is shown to do better than its baseline.**")
    for kind, words in (
        ("equivalent", "As good as the baseline, within the margin"),
        ("undecided", "Undecided, as the difference may be chance"),
        ("no verdict", "No verdict"),
    ):
        places = [
            f"{answer.arm} at {', '.join(one.labels for one in found)}"
            for answer in answers
            if (found := [one for one in answer.verdicts if one.kind == kind])
        ]
        lines += [f"{words}: {'; '.join(places)}."] if places else []
    return lines


def _plain_arm(source: Source, arm: str) -> PlainArm:
    tables = source.tables
    scores = [
        (
            of_labels(fraction),
            with_interval(tables.shown(arm, fraction, tables.primary), source.settings.decimals),
        )
        for fraction in tables.fractions
        if (arm, fraction) in source.cells
    ]
    return PlainArm(source.settings.marked(arm), source.title_of(arm), scores)


def _alarms(source: Source) -> list[str]:
    """What must be read before any number."""
    lines = copies_in_training(source.tables.leakage)
    if source.settings.synthetic:
        lines.append(
            "The images are synthetic drawings: these numbers say nothing about real cells."
        )
    return lines


def _facts(source: Source) -> list[tuple[str, str]]:
    """The experiment in numbers."""
    tables = source.tables
    replicates = tables.replicates
    counted = {
        round(count)
        for arm, fraction in source.cells
        if (count := tables.counted(arm, fraction, "labels")) is not None
    }
    ends = (
        [f"{count:,}" for count in sorted({min(counted), max(counted)})] if counted else [NOTHING]
    )
    return [
        ("labelled training images", " to ".join(ends)),
        ("test images", f"{source.test_images:,}"),
        ("arms", str(len(source.arms))),
        ("replicates of each", str(len(replicates))),
    ]
