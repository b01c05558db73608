"""A strategy's randomness: numpy's own for (entropy, proposal), made in a shorter way."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlesearch.engine.randomness import proposal_rng


@given(st.integers(0, 2**63 - 1), st.integers(0, 2**32 - 1))
def test_it_is_that_of_default_rng(entropy, proposal):
    assert (
        proposal_rng(entropy, proposal).random(8).tolist()
        == np.random.default_rng([entropy, proposal]).random(8).tolist()
    )


@pytest.mark.parametrize("entropy", [0, 1, 2**32 - 1, 2**32, 2**63 - 1])
@pytest.mark.parametrize("proposal", [0, 1, 2**32 - 1])
def test_at_the_edges_of_a_word(entropy, proposal):
    assert proposal_rng(entropy, proposal).integers(2**62) == np.random.default_rng([entropy, proposal]).integers(2**62)
