import sys
from pathlib import Path

import numpy as np
import pytest

from unbraid.datasets.public.dataset import Stem, Track
from unbraid.datasets.public.grouping import (
    by_four,
    by_instrument,
    few_shot_submixes,
    regroup,
    singing_and_accompaniment,
    slakh_submix,
)
from unbraid.datasets.public.medleydb import MEDLEYDB
from unbraid.datasets.public.moisesdb import MOISESDB
from unbraid.datasets.public.reading import read_mixture, read_stem
from unbraid.datasets.public.slakh2100 import SLAKH2100_REDUX

sys.path.insert(0, str(Path(__file__).parent))
from miniatures import make_medleydb, make_moisesdb, make_slakh2100_redux, tone


@pytest.fixture
def song(tmp_path):
    make_moisesdb(tmp_path)
    return MOISESDB.index(tmp_path, "all")[0]


def test_grouped_stems_are_sums_and_the_mixture_stays(song):
    four = by_four(song)
    assert [stem.name for stem in four.stems] == ["vocals", "drums", "bass", "other"]
    expected = tone(1000, n_channels=1)[40:90].T + tone(1001)[40:90].T
    assert np.allclose(read_stem(four.stems[0], 40, 90), expected, atol=1e-6)
    assert np.allclose(read_mixture(four, 40, 90), read_mixture(song, 40, 90), atol=1e-6)


def test_instrument_tracks_are_sums_of_their_classes(song):
    labels = [stem.label for stem in by_instrument(song).stems]
    assert labels == ["vocals", "bass", "drums", "electric guitar", "percussion"]


def test_what_has_no_class_stays_in_the_mixture(tmp_path):
    stems = (Stem("S01", "piano", ()), Stem("S02", "Unlabeled", ()), Stem("S03", "scratches", ()))
    grouped = by_instrument(Track("a", "medleydb", "all", stems))
    assert [(stem.name, stem.label) for stem in grouped.stems] == [("piano", "piano"), ("/S02", ""), ("/S03", "")]


def test_accompaniment_is_all_but_the_singing(song):
    sides = singing_and_accompaniment(song)
    assert [(stem.name, len(stem.recordings)) for stem in sides.stems] == [("vocals", 2), ("accompaniment", 5)]


def test_a_group_bleeds_where_a_part_does_and_scores_of_sums_are_lost(tmp_path):
    stems = (
        Stem("a", "piano", (), score=tmp_path / "a.mid"),
        Stem("b", "piano", (), bleeds=True, score=tmp_path / "b.mid"),
        Stem("c", "violin", (), score=tmp_path / "c.mid"),
    )
    piano, violin = by_instrument(Track("t", "medleydb", "all", stems)).stems
    assert (piano.bleeds, piano.score) == (True, None)
    assert (violin.bleeds, violin.score) == (False, tmp_path / "c.mid")


def test_the_mixture_of_the_dataset_is_gone_where_stems_are_left_out(tmp_path):
    make_slakh2100_redux(tmp_path)
    track = SLAKH2100_REDUX.index(tmp_path, "test")[0]
    submix = slakh_submix(track)
    assert [stem.name for stem in submix.stems] == ["guitar", "bass", "drums", "piano"]
    assert submix.mixture is None
    total = sum(read_stem(track.stems[k], 0, 500) for k in (0, 1, 2, 4))
    assert np.allclose(read_mixture(submix, 0, 500), total, atol=1e-6)
    assert regroup(track, lambda track, stem: "all").mixture == track.mixture


def test_few_shot_sub_mixes_have_one_stem_of_each_class_and_no_bleed(tmp_path):
    make_medleydb(tmp_path)
    tracks = MEDLEYDB.index(tmp_path, "all")
    submixes = few_shot_submixes(tracks)
    assert [track.name for track in submixes] == ["AClassicEducation_NightOwl", "AimeeNorwich_Child"]
    assert [stem.label for stem in submixes[0].stems] == ["drums", "bass", "electric guitar", "vocals"]
    twice = Track("t", "medleydb", "all", (*tracks[0].stems, Stem("S05", "snare drum", ())))
    assert [stem.name for stem in few_shot_submixes([twice])[0].stems] == ["S01", "S02", "S03", "S04"]
    alone = Track("t", "medleydb", "all", tracks[0].stems[:1])
    assert few_shot_submixes([alone]) == []
