"""The picture of an explanation: what is on it, and that nothing lies over anything else."""

import itertools
from dataclasses import replace

import pytest
import torch

from unbraid.errors import SettingsError
from unbraid.explanation import picture
from unbraid.explanation.attention import FLOOR_DB, BlockAttention, Explanation
from unbraid.explanation.picture import draw_explanation


def make(n_targets=2, n_blocks=2, n_columns=120, n_latent=6, labels=("vocals", "drums", "bass", "other")):
    generator = torch.Generator().manual_seed(0)
    blocks = []
    for block in range(n_blocks):
        n_frames = max(1, n_columns >> (n_blocks - 1 - block))
        weights = torch.randn(n_targets, n_frames, n_latent, generator=generator).softmax(-1)
        blocks.append(BlockAttention(weights, torch.arange(n_frames) * 2.4 / n_frames))
    levels = -100 * torch.rand(129, n_columns, generator=generator)
    times = torch.arange(n_columns) * 2.4 / n_columns
    return Explanation(labels[:n_targets], tuple(blocks), levels, times, torch.linspace(0, 22050, 129))


@pytest.fixture
def draw(tmp_path, monkeypatch):
    def run(explanation, title="Attention"):
        drawn = []
        save = picture._save
        monkeypatch.setattr(picture, "_save", lambda figure, path: (drawn.append(figure), save(figure, path)))
        draw_explanation(explanation, tmp_path / "a.png", title=title)
        content = (tmp_path / "a.png").read_bytes()
        assert content.startswith(b"\x89PNG")
        monkeypatch.undo()
        return drawn[0]

    return run


def test_a_panel_for_every_target_and_block_on_one_time_axis(draw):
    figure = draw(make(n_targets=3, n_blocks=2))
    *panels, level, weight = figure.axes
    assert len(panels) == 2 * (1 + 3)
    assert {panel.get_xlim() for panel in panels} == {panels[0].get_xlim()}
    assert panels[0].get_xlim() == pytest.approx((-0.01, 2.39), abs=1e-4)
    assert [panel.get_ylabel() for panel in panels[::2]] == [
        "mixture\nfrequency (Hz)",
        *(f"{label}\nlatent source" for label in ("vocals", "drums", "bass")),
    ]
    assert [panel.get_xlabel() for panel in panels[-2:]] == ["time (s)"] * 2
    assert [panel.get_title() for panel in panels[:2]] == [
        "decoder block 1 of 2: 40 ms a column",
        "decoder block 2 of 2: 20 ms a column",
    ]
    assert (level.get_ylabel(), weight.get_ylabel()) == ("level (dB)", "attention coefficient")
    assert figure.get_suptitle() == "Attention"


def test_coefficients_share_one_scale_and_are_drawn_where_they_belong(draw):
    explanation = make(n_targets=1, n_blocks=1)
    figure = draw(explanation)
    [mesh] = figure.axes[1].collections
    assert mesh.get_clim() == (0.0, float(explanation.blocks[0].coefficients.max()))
    assert torch.equal(torch.tensor(mesh.get_array().data), explanation.blocks[0].coefficients[0].T)
    assert figure.axes[1].yaxis_inverted()


@pytest.mark.parametrize(("n_targets", "n_blocks"), [(1, 1), (1, 2), (4, 3)])
def test_nothing_lies_over_anything_else(draw, n_targets, n_blocks):
    figure = draw(make(n_targets, n_blocks, n_latent=16), title="Attention over latent sources: " + "long name " * 20)
    boxes = [axes.get_tightbbox() for axes in figure.axes]
    for one, other in itertools.combinations(boxes, 2):
        width = min(one.x1, other.x1) - max(one.x0, other.x0)
        height = min(one.y1, other.y1) - max(one.y0, other.y0)
        assert width <= 1 or height <= 1
    whole, title = figure.bbox, figure._suptitle.get_window_extent()
    assert all(box.x0 >= 0 and box.y0 >= 0 and box.x1 <= whole.x1 and box.y1 <= whole.y1 for box in (*boxes, title))
    assert figure._suptitle.get_text().endswith("…")


def test_titles_and_labels_are_no_formulas_and_need_no_font(draw):
    figure = draw(make(1, 1, labels=("音楽 $x_2",)), title="$\\frac{caf\udce9.wav 夜")
    assert figure.get_suptitle() == "$\\frac{caf?.wav 夜"


@pytest.mark.parametrize("n_columns", [1, 2, 3, 5000])
def test_songs_of_one_column_and_of_many(draw, n_columns):
    figure = draw(make(1, 1, n_columns=n_columns))
    [mesh] = figure.axes[1].collections
    assert mesh.get_array().shape[1] <= picture.MAX_DRAWN
    assert mesh.get_array().sum(axis=0).tolist() == pytest.approx([1] * mesh.get_array().shape[1], abs=1e-5)


@pytest.mark.parametrize("n_columns", [1, 2])
def test_a_single_column_fills_its_panel(draw, n_columns):
    figure = draw(make(1, 2, n_columns=n_columns))
    ends = figure.axes[2].get_xlim()
    [mesh] = figure.axes[2].collections
    assert mesh.get_coordinates()[0, [0, -1], 0].tolist() == pytest.approx(ends, abs=1e-6)
    assert figure.axes[0].get_title() == "decoder block 1 of 2"
    assert len(figure.axes[0].get_xticks()) <= picture.MAX_TICKS + 1


def test_silence_is_dark(draw):
    explanation = make(1, 1)
    figure = draw(replace(explanation, spectrogram=torch.full_like(explanation.spectrogram, FLOOR_DB)))
    [mesh] = figure.axes[0].collections
    assert mesh.get_clim()[0] == float(mesh.get_array().max()) == FLOOR_DB


def test_without_matplotlib_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr(picture.util, "find_spec", lambda name: None)
    with pytest.raises(SettingsError, match=r"unbraid\[plot\]"):
        draw_explanation(make(), tmp_path / "a.png", title="")
