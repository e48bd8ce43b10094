"""Do slides tell classes? A permutation test and an effect size, from counts of each class on each slide."""

from collections.abc import Iterable, Sequence

import numpy as np
from scipy.stats import random_table

#: Most permutations, and fewest, where tables are large.
DRAWS, FEWEST_DRAWS = 9999, 999
#: So many cells of permuted tables are drawn; held at once are fewer.
MOST_CELLS, CELLS_AT_ONCE = 20_000_000, 1_000_000


def table_of(slides: Sequence[str], labels: Sequence[str]) -> np.ndarray:
    """How many images of each class lie on each slide, int (slides, classes)."""
    names, rows = np.unique(np.array(slides, dtype=str), return_inverse=True)
    classes, columns = np.unique(np.array(labels, dtype=str), return_inverse=True)
    table = np.zeros((len(names), len(classes)), dtype=np.int64)
    np.add.at(table, (rows, columns), 1)
    return table


def obstacle(table: np.ndarray) -> str:
    """Why a table cannot show whether slides tell classes; "" where it can."""
    slides, classes = table.shape
    if slides < 2:
        return "one slide alone" if slides else "no image with a known slide"
    if classes < 2:
        return "one class alone"
    return "every slide holds one image" if table.sum() == slides else ""


def chi_square(tables: np.ndarray) -> np.ndarray:
    """Pearson's statistic of tables (..., slides, classes) without empty rows or columns."""
    rows, columns = tables.sum(-1, keepdims=True), tables.sum(-2, keepdims=True)
    images = tables.sum((-2, -1))
    return images * ((tables.astype(float) ** 2 / (rows * columns)).sum((-2, -1)) - 1)


def p_permutation(tables: Iterable[np.ndarray], seed: int) -> float | None:
    """Permutation test of "an image's slide does not tell its class", labels permuted within each table.

    The statistic is the sum of the tables' chi squares. One table for each split, so that splits with other shares of
    the classes are not taken for slides that tell them. Permuted tables are drawn as such, with the margins held
    (Patefield 1981, Appl Statist 30:91). The p value counts the observed table (Phipson & Smyth 2010, Stat Appl Genet
    Mol Biol 9:39).

    Args:
        tables: int (slides, classes) each; those with an :func:`obstacle` are left out.

    Returns:
        None where no table can show it.
    """
    able = [table for table in tables if not obstacle(table)]
    if not able:
        return None
    generator = np.random.default_rng(seed)
    draws = int(np.clip(MOST_CELLS // sum(table.size for table in able), FEWEST_DRAWS, DRAWS))
    permuted = np.zeros(draws)
    for table in able:
        null = random_table(table.sum(1), table.sum(0))
        step = max(1, CELLS_AT_ONCE // table.size)
        for first in range(0, draws, step):
            drawn = null.rvs(min(step, draws - first), random_state=generator)
            permuted[first : first + step] += chi_square(drawn)
    observed = float(sum(chi_square(table) for table in able))
    # Tables that are alike but for the order of their rows differ by rounding.
    at_least = int((permuted >= observed * (1 - 1e-9)).sum())
    return (1 + at_least) / (1 + draws)


def cramers_v(table: np.ndarray) -> float | None:
    """Cramér's V, 0 (slides tell nothing) to 1 (all), corrected for its bias (Bergsma 2013, J Korean Stat Soc 42:323).

    Uncorrected it is far above 0 by chance where slides hold few images.

    Returns:
        None where the table has an :func:`obstacle`.
    """
    if obstacle(table):
        return None
    slides, classes = table.shape
    most = table.sum() - 1
    phi = max(float(chi_square(table)) / table.sum() - (slides - 1) * (classes - 1) / most, 0)
    least = min(size - (size - 1) ** 2 / most for size in (slides, classes)) - 1
    return min(float(np.sqrt(phi / least)), 1.0)
