"""Write the results as one HTML page that needs no network.

It shows the answer in words, tables that sort and filter, learning curves, confusion matrices, calibration, errors,
a data card, model cards, costs, provenance and a checklist after TRIPOD+AI. Every table that it shows lies below
--results as CSV, with more columns. What a run did not make is left out.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.errors import UserError
from fewlabels.core.files import write_text
from fewlabels.reporting.page.document import page
from fewlabels.reporting.page.source import Source
from fewlabels.reporting.summary_data import SummarySettings


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("--results", required=True, help="folder of the results")
    parser.add_argument("--target", required=True, help="name of the data set that is classified")
    parser.add_argument(
        "--datasets", nargs="+", required=True, help="all data sets, external ones last"
    )
    parser.add_argument("--masked", nargs="*", default=[], help="names of sets with masks")
    parser.add_argument("--external", nargs="*", default=[], help="names of external test sets")
    parser.add_argument(
        "--settings",
        type=json.loads,
        required=True,
        help=f"JSON, as summarize has them: {', '.join(field.name for field in fields(SummarySettings))}",
    )
    parser.add_argument(
        "--tables",
        type=json.loads,
        default=[],
        help="JSON: list of {name, title, quality} of the pretrained classifiers; quality: CSV of the clusters"
        " that are its labels, or null",
    )
    parser.add_argument(
        "--recipes", type=json.loads, default={}, help="JSON: arm -> its entry of the config"
    )
    parser.add_argument(
        "--mask-scores", nargs="*", default=[], help="CSVs of predict_masks, if arms use its masks"
    )
    parser.add_argument("--page", required=True, help="HTML to write")
    return parser


def summary_settings(given: dict) -> SummarySettings:
    """The settings of the summary.

    Raises:
        UserError: one is missing, or is none.
    """
    names = {field.name for field in fields(SummarySettings)}
    if wrong := sorted(names ^ set(given)):
        raise UserError(f"--settings: {', '.join(wrong)}: missing, or no setting of the summary")
    return SummarySettings(**given)


def source_of(arguments: argparse.Namespace) -> Source:
    """The results that are shown.

    Raises:
        UserError: --settings are not those of the summary.
    """
    return Source(
        folder=Path(arguments.results),
        settings=summary_settings(arguments.settings),
        pretrained=arguments.tables,
        recipes=arguments.recipes,
        target=arguments.target,
        datasets=arguments.datasets,
        masked=arguments.masked,
        external=arguments.external,
        mask_scores=arguments.mask_scores,
    )


def run(arguments: argparse.Namespace) -> None:
    write_text(arguments.page, page(source_of(arguments)))


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
