"""Whether slides tell classes: by hand, by all permutations, and in simulated sets."""

from itertools import permutations

import numpy as np
import pytest
from scipy.stats import chi2, chi2_contingency

from fewlabels.statistics.slide_classes import (
    chi_square,
    cramers_v,
    obstacle,
    p_permutation,
    table_of,
)


def test_images_are_counted_by_slide_and_class():
    assert table_of(["s2", "s1", "s2", "s2"], ["a", "b", "b", "a"]).tolist() == [[0, 1], [2, 1]]


def test_the_statistic_is_pearsons():
    tables = np.array([[[5, 1, 2], [2, 7, 3]], [[1, 1, 9], [4, 4, 1]]])
    by_scipy = [chi2_contingency(table, correction=False).statistic for table in tables]
    assert chi_square(tables) == pytest.approx(by_scipy)


def test_p_is_that_of_all_permutations():
    slides, labels = np.array([0, 0, 0, 1, 1, 1, 2]), np.array([0, 0, 0, 1, 1, 0, 1])

    def statistic(answers) -> float:
        table = np.zeros((3, 2))
        np.add.at(table, (slides, np.array(answers)), 1)
        return float(chi_square(table))

    observed = statistic(labels)
    exact = np.mean([statistic(order) >= observed - 1e-9 for order in permutations(labels)])
    found = p_permutation([table_of(slides, labels)], seed=0)
    assert found == pytest.approx(exact, abs=0.015)
    assert 0.05 < exact < 0.3


def test_splits_with_other_shares_of_the_classes_are_no_slides_that_tell_them():
    """Each slide of a split has that split's shares: to pool the splits would take these for the slides' doing."""
    train, test = np.tile([18, 2], (5, 1)), np.tile([10, 10], (5, 1))
    assert p_permutation([train, test], seed=0) == 1
    assert p_permutation([np.vstack([train, test])], seed=0) < 0.001


def test_both_splits_count():
    telling, silent = np.array([[9, 1], [1, 9]]), np.array([[5, 5], [5, 5]])
    assert p_permutation([telling, silent], seed=0) < 0.01
    assert p_permutation([silent, telling], seed=0) < 0.01
    assert p_permutation([silent, silent], seed=0) > 0.5
    # As of independent chi squares, with two and three degrees of freedom.
    first, second = np.array([[30, 20], [20, 30], [27, 23]]), np.array([[22, 18], [17, 23]] * 2)
    statistic = float(chi_square(first) + chi_square(second))
    by_theory = chi2.sf(statistic, 2 + 3)
    assert p_permutation([first, second], seed=0) == pytest.approx(by_theory, abs=0.02)
    assert by_theory == pytest.approx(0.24, abs=0.01)
    weak = np.array([[7, 3], [3, 7]])
    assert p_permutation([weak, weak], seed=0) < 0.5 * p_permutation([weak], seed=0)


def test_the_least_p_is_one_of_all_draws():
    assert p_permutation([np.array([[500, 0], [0, 500]])], seed=0) == 1 / 10_000


def test_large_tables_are_permuted_less_often(monkeypatch):
    monkeypatch.setattr("fewlabels.statistics.slide_classes.MOST_CELLS", 8000)
    monkeypatch.setattr("fewlabels.statistics.slide_classes.CELLS_AT_ONCE", 1000)
    telling = np.array([[500, 0], [0, 500]])
    assert p_permutation([telling], seed=0) == 1 / 2001
    assert p_permutation([np.tile(telling, (3, 1, 1)).reshape(6, 2)] * 9, seed=0) == 1 / 1000


def test_one_in_twenty_sets_of_silent_slides_is_called_telling(monkeypatch):
    monkeypatch.setattr("fewlabels.statistics.slide_classes.DRAWS", 999)
    generator = np.random.default_rng(0)
    found = []
    for _ in range(200):
        slides, labels = generator.integers(0, 8, 60), generator.choice(3, 60, p=[0.6, 0.3, 0.1])
        found.append(p_permutation([table_of(slides, labels)], seed=0))
    assert 0.01 <= np.mean(np.array(found) <= 0.05) <= 0.1


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (np.zeros((0, 0), int), "no image with a known slide"),
        (np.array([[3, 4]]), "one slide alone"),
        (np.array([[3], [4]]), "one class alone"),
        (np.array([[1, 0], [0, 1]]), "every slide holds one image"),
    ],
)
def test_what_cannot_be_told_has_no_value(table, reason):
    assert obstacle(table) == reason
    assert p_permutation([table], seed=0) is None
    assert cramers_v(table) is None
    # It does not stand in the way of what can be told.
    telling = np.array([[9, 1], [1, 9]])
    assert p_permutation([table, telling], seed=0) == p_permutation([telling], seed=0)
    assert obstacle(telling) == ""


def test_cramers_v_by_hand():
    """
    2 x 2 with 8 2 / 2 8: chi square 20 x .36 = 7.2, phi^2 .36; less 1/19: .30737; sizes 2 - 1/19 = 1.94737:
    V = sqrt(.30737 / .94737) = .5696.
    """
    assert cramers_v(np.array([[8, 2], [2, 8]])) == pytest.approx(0.56960, abs=1e-5)
    assert cramers_v(np.array([[500, 0], [0, 500]])) == pytest.approx(1)
    assert cramers_v(np.array([[5, 5], [5, 5]])) == 0


def test_cramers_v_of_silent_slides_is_near_zero():
    """Uncorrected it would be about 0.36 here."""
    generator = np.random.default_rng(0)
    tables = [
        table_of(generator.integers(0, 40, 300), generator.integers(0, 4, 300)) for _ in range(50)
    ]
    plain = [np.sqrt(chi_square(table) / table.sum() / 3) for table in tables]
    assert np.mean(plain) > 0.3
    assert np.mean([cramers_v(table) for table in tables]) < 0.07
