"""Rows set aside, class by class."""

import numpy as np

from skprivacy.adversarial._splitting import hold_out, hold_out_evenly


def test_every_class_gives_its_part_and_keeps_a_row():
    codes = np.repeat([0, 1, 2, 3], [50, 10, 1, 2])
    rows = np.arange(codes.size)
    kept, held = hold_out(rows, codes, 0.4, np.random.default_rng(0))
    np.testing.assert_array_equal(np.sort(np.concatenate([kept, held])), rows)
    assert np.bincount(codes[held], minlength=4).tolist() == [20, 4, 0, 1]
    kept, held = hold_out(rows, codes, 0.999, np.random.default_rng(0))
    assert np.bincount(codes[kept], minlength=4).tolist() == [1, 1, 1, 1]


def test_only_candidates_are_split_and_at_random():
    codes = np.tile([0, 1], 50)
    rows = np.arange(20, 80)
    splits = [hold_out(rows, codes, 0.5, np.random.default_rng(seed)) for seed in range(2)]
    for kept, held in splits:
        np.testing.assert_array_equal(np.sort(np.concatenate([kept, held])), rows)
    assert set(splits[0][1]) != set(splits[1][1])


def test_even_parts_have_one_size_and_nearly_the_classes():
    codes = np.repeat([0, 1, 2], [50, 30, 20])
    for seed in range(5):
        kept, held = hold_out_evenly(np.arange(100), codes, 0.2, np.random.default_rng(seed))
        np.testing.assert_array_equal(np.sort(np.concatenate([kept, held])), np.arange(100))
        assert held.size == 20
        assert np.abs(np.bincount(codes[held], minlength=3) - [10, 6, 4]).max() <= 1
    assert hold_out_evenly(np.arange(3), codes, 0.1, np.random.default_rng(0))[1].size == 0
    assert hold_out_evenly(np.arange(3), codes, 0.999, np.random.default_rng(0))[0].size == 1
