import math
import signal

import pytest

from unbraid.errors import RecipeError
from unbraid.training.stopping import Patience, PatienceState, stop_signals


def test_a_second_ctrl_c_stops_at_once():
    with stop_signals() as stopped:
        signal.raise_signal(signal.SIGINT)
        assert stopped()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize(("min_delta", "counts"), [(0.0, [1, 0, 1, 0, 1, 2, 0, 0]), (0.5, [1, 0, 1, 2, 3, 4, 0, 1])])
def test_what_is_an_improvement(min_delta, counts):
    state, patience, found = PatienceState(), Patience(4, min_delta), []
    for loss in (math.nan, 3.0, 3.0, 2.75, math.nan, math.inf, 2.0, 1.5):
        state = state.observe(loss, patience)
        found.append(state.bad_epochs)
        assert state.is_over(patience) == (state.bad_epochs == 4)
        assert not state.is_over(None)
    assert found == counts


@pytest.mark.parametrize(("epochs", "min_delta"), [(0, 0.0), (3, -0.1), (3, math.nan), (3, math.inf)])
def test_patience_refuses_what_makes_no_sense(epochs, min_delta):
    with pytest.raises(RecipeError, match="patience needs 1 epoch or more"):
        Patience(epochs, min_delta)
