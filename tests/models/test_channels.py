"""Channels that were separated one by one."""

import torch

from unbraid.models.layers.channels import align_channels, match


def test_swapped_outputs_of_a_channel_are_put_back():
    left = torch.randn(1, 3, 1, 500)
    right = 0.5 * left[:, [2, 1, 0]]
    aligned = align_channels(torch.cat([left, right], dim=2), [(0, 2)])
    torch.testing.assert_close(aligned[:, :, 1:], 0.5 * left)


def test_match_is_one_to_one():
    assert match(torch.tensor([[0.1, 3.0], [2.0, 4.0]])) == [0, 1]
