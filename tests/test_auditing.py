"""The planted fault is what it says, and ends."""

import numpy as np
import pytest
from auditing import halved_noise

from skprivacy.mechanisms import GaussianSum, random_source


def noise_scale(mechanism):
    draw = mechanism.draw(np.ones((1, 1)), adjacency="add-remove", source=random_source(0))
    return draw.noise_scale


def test_halved_noise_is_halved_and_ends():
    mechanism = GaussianSum(name="sum").calibrate("add-remove", mu=0.5)
    with halved_noise():
        halved = noise_scale(mechanism)
    assert halved == pytest.approx(noise_scale(mechanism) / 2)
