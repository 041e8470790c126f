"""What every model has: labels that it is taught."""

import pytest
import torch

from unbraid.audio.signal import Audio
from unbraid.errors import GuideError
from unbraid.guides.kinds import Examples, Label, Prompts
from unbraid.models.separator import Estimates, Separator


class Listener(Separator):
    """Answers with silence, and has vectors of three numbers."""

    sample_rate, segment = 8000, 1.0
    accepts, vocabulary = frozenset({Label, Prompts}), ("bass",)

    def __init__(self, query_size):
        super().__init__()
        self.query_size = query_size

    def condition(self, targets):
        raise NotImplementedError

    def forward(self, mixture, condition):
        return Estimates(mixture[:, None] * 0, None)


def test_a_taught_vector_is_kept_apart_from_the_weights():
    model, vector = Listener(3), torch.arange(3.0)
    model.teach("riff", vector)
    vector.zero_()
    assert model.taught["riff"].tolist() == [0.0, 1.0, 2.0]
    assert not model.state_dict()
    assert not Listener(3).taught


@pytest.mark.parametrize(
    ("query_size", "name", "vector", "message"),
    [
        (3, "bass", torch.zeros(3), "knows 'bass' already"),
        (None, "riff", torch.zeros(3), "cannot be taught"),
        (3, "riff", torch.zeros(4), "another model"),
        (3, "riff", torch.tensor([0.0, 1.0, float("nan")]), "another model"),
    ],
)
def test_what_cannot_be_taught(query_size, name, vector, message):
    model = Listener(query_size)
    with pytest.raises(GuideError, match=message):
        model.teach(name, vector)
    assert not model.taught


def test_a_model_that_takes_no_examples_says_so():
    with pytest.raises(GuideError, match="takes no examples"):
        Listener(3).embed(Examples(Audio(torch.ones(1, 10), 8000)))
