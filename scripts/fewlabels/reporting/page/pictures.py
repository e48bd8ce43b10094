"""The section of pictures: clusters, reconstructions, copies, and images before and after their masks were applied."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from fewlabels.audit.leakage import KINDS
from fewlabels.reporting.figures import COLOURS, plt
from fewlabels.reporting.page.sections import Section
from fewlabels.reporting.page.svg import inline
from fewlabels.reporting.page.templating import render

#: Of report_pictures, in the folder of the report.
FILE = "pictures.json"
#: Clusters differ in these as well as in colours.
MARKERS = ("o", "s", "^", "D", "v", "P", "X")


def section(folder: Path) -> Section | None:
    """Pictures of data and pretraining; None without the file, or where there are none.

    Args:
        folder: ``report/`` of the results.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    data = json.loads(path.read_text(encoding="utf-8"))
    masks = [dataset for dataset in data["masks"] if dataset["images"]]
    if not (data["clusters"] or data["reconstructions"] or data["copies"] or masks):
        return None
    html = render(
        "pictures.jinja",
        **data | {"masks": masks},
        scatters=[scatter(found, place) for place, found in enumerate(data["clusters"])],
        kinds=KINDS,
    )
    return Section("pictures", "Images of data and pretraining", html)


def scatter(clustering: dict[str, Any], place: int) -> Markup:
    """The points of one clustering as SVG; ``place``: its number on the page."""
    points = np.array(clustering["points"]).reshape(-1, 2)
    members = np.array(clustering["of_cluster"], dtype=np.int64)
    figure, axes = plt.subplots(figsize=(5.6, 4.4), layout="constrained")
    for cluster, size in enumerate(clustering["sizes"]):
        chosen = members == cluster
        axes.plot(
            points[chosen, 0],
            points[chosen, 1],
            MARKERS[cluster % len(MARKERS)],
            color=COLOURS[cluster % len(COLOURS)],
            markersize=4,
            markeredgewidth=0,
            alpha=0.7,
            label=f"cluster {cluster} ({size})",
        )
    axes.set(xlabel="principal component 1", ylabel="principal component 2")
    axes.legend(fontsize=8)
    sizes = ", ".join(f"{cluster}: {size}" for cluster, size in enumerate(clustering["sizes"]))
    return inline(
        figure,
        f"clusters{place}",
        f"Clusters of {clustering['dataset']} ({clustering['name']})",
        f"Scatter of {len(points)} images by their first two principal components; images of each cluster: {sizes}",
    )
