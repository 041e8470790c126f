from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from unbraid.evaluation.questions import (
    Condition,
    Examiner,
    Kind,
    all_conditions,
    draw_companions,
    example_length,
    fill_shelf,
)
from unbraid.evaluation.tracks import Part, StemTrack, TrackSource, TrackStem, dice_of
from unbraid.guides.kinds import Examples, Label

RATE = 1000


def counting_track(labels: dict[str, str], *, name: str = "song", seconds: float = 8.0) -> StemTrack:
    """Make stems whose samples tell who they are (ten thousands) and where (the rest)."""
    times = torch.arange(round(seconds * RATE), dtype=torch.float32)
    stems = tuple(
        TrackStem(stem, label, (10_000.0 * (index + 1) + times)[None])
        for index, (stem, label) in enumerate(labels.items())
    )
    return StemTrack(name, "set", RATE, stems)


FIRST_HALF = Part(0, 4000)


def examiner(track: StemTrack, *others: StemTrack, scored: Part = FIRST_HALF, seed: int = 0) -> Examiner:
    sources = [TrackSource(one.name, lambda one=one: one) for one in (track, *others)]
    shelf = fill_shelf(sources, duration=1.0, seed=seed)
    return Examiner(track, scored, shelf, 1.0, seed, track.name)


def recordings(question: object) -> tuple[list[Tensor], list[Tensor]]:
    assert isinstance(question.guide, Examples)
    return tuple([one.samples for one in side] for side in question.guide.recordings)


def places(samples: Tensor) -> tuple[int, int]:
    """Return which stem of a counting track a passage is of, and where it begins."""
    return int(samples[0, 0]) // 10_000, int(samples[0, 0]) % 10_000


BAND = counting_track({"voice": "vocals", "kit": "drums", "left": "guitar", "right": "guitar"})
OTHER = counting_track({"voice": "vocals", "grand": "piano", "left": "guitar"}, name="other")
THIRD = counting_track({"voice": "vocals", "grand": "piano"}, name="third")


@pytest.mark.parametrize("scored", [Part(0, 4000), Part(4000, 8000), Part(2000, 5000)])
@pytest.mark.parametrize(
    "kind", [Kind.SAME_TRACK, Kind.NEGATIVES, Kind.MULTI_SOURCE, Kind.WRONG, Kind.PAIR, Kind.PAIR_NEGATIVES]
)
def test_examples_never_overlap_with_what_is_scored(kind: Kind, scored: Part) -> None:
    asked = examiner(BAND, scored=scored)
    questions = asked.questions(Condition(kind, 5))
    assert questions
    for question in questions:
        assert question.reference.samples.shape == (1, scored.stop - scored.start)
        positive, negative = recordings(question)
        assert len(positive) == 5
        assert len(negative) == (5 if kind in (Kind.NEGATIVES, Kind.PAIR_NEGATIVES) else 0)
        for samples in (*positive, *negative):
            assert samples.shape == (1, 1000)
            step = float(samples[0, 1] - samples[0, 0])  # of so many stems is it the sum
            start = round(float(samples[0, 0]) / step) % 10_000 if step == 1 else None
            if start is not None:
                assert start + 1000 <= scored.start or start >= scored.stop


def test_an_example_of_the_same_track_is_of_the_sum_of_its_class() -> None:
    questions = {one.label: one for one in examiner(BAND).questions(Condition(Kind.SAME_TRACK, 2))}
    assert list(questions) == ["vocals", "drums", "guitar"]
    (voice, _), _ = recordings(questions["vocals"])
    assert places(voice)[0] == 1
    (guitars, _), _ = recordings(questions["guitar"])
    assert float(guitars[0, 1] - guitars[0, 0]) == 2  # two stems that count up
    assert questions["guitar"].reference.stems == ("left", "right")


def test_other_tracks_give_examples_of_different_recordings_first() -> None:
    asked = examiner(BAND, OTHER, THIRD)
    by_label = {one.label: one for one in asked.questions(Condition(Kind.OTHER_TRACK, 2))}
    assert set(by_label) == {"vocals", "guitar"}  # nobody else has drums
    shelf = asked.shelf["vocals"]
    (first, second), _ = recordings(by_label["vocals"])
    owners = [
        name for one in (first, second) for name, kept in shelf.items() if any(one is two.samples for two in kept)
    ]
    assert sorted(owners) == ["other", "third"]
    (more,) = (one for one in asked.questions(Condition(Kind.OTHER_TRACK, 5)) if one.label == "vocals")
    assert len(recordings(more)[0]) == 5


def test_negatives_are_single_other_instruments_beside_the_same_positives() -> None:
    asked = examiner(BAND)
    plain = {one.label: recordings(one) for one in asked.questions(Condition(Kind.SAME_TRACK, 5))}
    for question in asked.questions(Condition(Kind.NEGATIVES, 5)):
        positive, negative = recordings(question)
        for mine, before in zip(positive, plain[question.label][0], strict=True):
            assert torch.equal(mine, before)
        assert len(negative) == 5
        if question.label == "vocals":
            assert all(places(one)[0] != 1 for one in negative)


def test_half_of_multi_source_examples_are_mixed_and_only_the_target_is_in_all() -> None:
    mixed = total = 0
    for seed in range(40):
        drawn = draw_companions(["a", "b"], 5, dice_of(seed))
        assert len(set(drawn)) > 1
        mixed += sum(name != "" for name in drawn)
        total += 5
    assert 0.4 < mixed / total < 0.6
    assert draw_companions(["a"], 1, dice_of(0)) == ()
    assert draw_companions([], 5, dice_of(0)) == ()
    (voice,) = (one for one in examiner(BAND).questions(Condition(Kind.MULTI_SOURCE, 5)) if one.label == "vocals")
    slopes = {round(float(one[0, 1] - one[0, 0])) for one in recordings(voice)[0]}
    assert len(slopes) > 1  # alone, with drums, with both guitars


def test_a_wrong_example_is_of_another_instrument_that_sounds() -> None:
    for question in examiner(BAND).questions(Condition(Kind.WRONG, 2)):
        assert question.other.prompt != question.label
        assert question.reference.prompt == question.label
        expected = examiner(BAND).track.reference(question.other.prompt, Part(0, 8000)).samples
        (first, _), _ = recordings(question)
        start = int((expected[0] == first[0, 0]).nonzero()[0])
        assert torch.equal(first, expected[:, start : start + 1000])


def test_two_of_a_kind_are_asked_for_one_by_one() -> None:
    first, second = examiner(BAND).questions(Condition(Kind.PAIR, 3))
    assert first.label == second.label == "guitar"
    assert (first.reference.stems, first.other.stems) == (("right",), ("left",))  # the louder one first
    assert (second.reference.stems, second.other.stems) == (("left",), ("right",))
    assert {places(one)[0] for one in recordings(first)[0]} == {4}
    assert {places(one)[0] for one in recordings(second)[0]} == {3}
    assert examiner(OTHER).questions(Condition(Kind.PAIR, 3)) == ()


def test_two_of_a_kind_with_negatives_are_the_same_questions_with_the_other_as_negative() -> None:
    plain = examiner(BAND).questions(Condition(Kind.PAIR, 3))
    asked = examiner(BAND).questions(Condition(Kind.PAIR_NEGATIVES, 3))
    assert len(asked) == 2
    for mine, twin, other in zip(asked, plain, reversed(plain), strict=True):
        assert (mine.reference.stems, mine.other.stems) == (twin.reference.stems, twin.other.stems)
        positive, negative = recordings(mine)
        assert all(torch.equal(one, two) for one, two in zip(positive, recordings(twin)[0], strict=True))
        assert all(torch.equal(one, two) for one, two in zip(negative, recordings(other)[0], strict=True))
    assert examiner(OTHER).questions(Condition(Kind.PAIR_NEGATIVES, 3)) == ()


def test_what_is_absent_has_no_answer() -> None:
    asked = examiner(BAND, OTHER, THIRD)
    (absent,) = asked.questions(Condition(Kind.ABSENT, 2))
    assert (absent.label, absent.reference) == ("piano", None)
    assert {places(one)[0] for one in recordings(absent)[0]} == {2}
    (label,) = asked.questions(Condition(Kind.ABSENT_LABEL))
    assert (label.label, label.guide, label.reference) == ("piano", Label("piano"), None)
    (noise,) = asked.questions(Condition(Kind.NOISE, 1))
    assert noise.reference is None
    assert recordings(noise)[0][0].std() == pytest.approx(0.1, rel=0.1)


def test_labels_are_those_that_sound_in_the_part() -> None:
    quiet = counting_track({"voice": "vocals", "kit": "drums", "sound": ""})
    quiet.stems[0].samples[:, :4000] = 0.0
    asked = examiner(quiet)
    assert [one.label for one in asked.questions(Condition(Kind.LABEL))] == ["drums"]
    late = examiner(quiet, scored=Part(4000, 8000))
    assert [one.label for one in late.questions(Condition(Kind.LABEL))] == ["vocals", "drums"]
    assert [one.label for one in late.questions(Condition(Kind.SAME_TRACK, 1))] == ["drums"]  # no voice to cut out


def test_the_same_questions_are_drawn_each_time_and_others_with_another_seed() -> None:
    def starts(seed: int) -> list[float]:
        questions = examiner(BAND, seed=seed).questions(Condition(Kind.SAME_TRACK, 5))
        return [float(one[0, 0]) for question in questions for one in recordings(question)[0]]

    assert starts(1) == starts(1) != starts(2)


def test_more_examples_begin_with_the_fewer_ones() -> None:
    few, more = (
        recordings(examiner(BAND).questions(Condition(Kind.SAME_TRACK, count))[0])[0] for count in (2, 5)
    )  # fmt: skip
    assert all(torch.equal(one, two) for one, two in zip(few, more, strict=False))


def test_short_parts_give_shorter_examples() -> None:
    assert example_length(BAND, Part(0, 4000), 3.0) == 2000
    assert example_length(BAND, Part(0, 8000), 3.0) == 3000


def test_every_condition_has_a_title_of_its_own() -> None:
    titles = [condition.title for condition in all_conditions()]
    assert len(titles) == len(set(titles)) == 20
    assert {condition.kind for condition in all_conditions()} == set(Kind)
    assert Kind.MULTI_SOURCE not in {condition.kind for condition in all_conditions((1,))}


def test_a_track_without_a_rest_has_no_examples_of_its_own(make_track: Callable[..., TrackSource]) -> None:
    whole = examiner(BAND, scored=Part(0, 8000))
    assert whole.questions(Condition(Kind.SAME_TRACK, 1)) == ()
    assert len(whole.questions(Condition(Kind.LABEL))) == 3
