"""Examples are read, spans are cut, and what holds no sound is refused before any work."""

from pathlib import Path

import pytest
import torch

from unbraid.audio.encoding import Encoding
from unbraid.audio.files import write_audio
from unbraid.audio.signal import Audio
from unbraid.errors import GuideError
from unbraid.guides.examples import cut_span, example_files, resolve_examples
from unbraid.guides.kinds import Examples, Label, Span, Target

SONG = Audio(torch.arange(1, 8001, dtype=torch.float32)[None] / 8000, 1000)
TONE = Audio(torch.ones(2, 100), 8000)


def cut(span):
    return cut_span(SONG, span)


def test_all_guides_of_a_target_become_one(tmp_path):
    write_audio(tmp_path / "a.wav", TONE, encoding=Encoding("wav", "float"))
    guides = [Span(1, 2), Examples([tmp_path / "a.wav"], [Span(3, 4)]), Label("x"), Span(5, 6, sounds=False)]
    (target,) = resolve_examples([Target("lead", guides)], cut=cut)
    label, examples = target.guides
    assert isinstance(examples, Examples)
    assert (target.name, label) == ("lead", Label("x"))
    positive, negative = examples.recordings
    assert [one.sample_rate for one in positive] == [1000, 8000]
    torch.testing.assert_close(positive[0].samples, SONG.samples[:, 1000:2000])
    torch.testing.assert_close(positive[1].samples, TONE.samples)
    assert [float(one.samples[0, 0]) for one in negative] == pytest.approx([3001 / 8000, 5001 / 8000])


def test_spans_wait_for_their_mixture():
    (target,) = resolve_examples([Target("lead", [Span(1, 2), Examples(TONE)])])
    span, tone = target.guides[0].positive
    assert span == Span(1, 2)
    assert tone.samples is TONE.samples
    (later,) = resolve_examples([target], cut=cut)
    assert later.guides[0].recordings[0][0].n_samples == 1000


def test_other_targets_stay_as_they_are():
    targets = (Target("a", Label("b")),)
    assert resolve_examples(targets, cut=cut) == targets


@pytest.mark.parametrize(
    ("guides", "message"),
    [
        ([Span(7, 9)], "target 'lead': the span 7-9s lies outside of the mixture, which is 8.00 s long"),
        ([Span(8, 8.2)], "lies outside"),
        ([Span(1, 2, sounds=False)], "only what it is not"),
        ([Examples("no/such.wav")], "target 'lead': example no/such.wav: there is no such file"),
        ([Examples(Audio(torch.zeros(1, 50), 8000))], "example is silent"),
        ([Examples(TONE, Audio(torch.full((1, 50), 1e-5), 8000))], "example is silent"),
        ([Examples(Audio(torch.zeros(1, 0), 8000))], "example is empty"),
        ([Examples((torch.ones(9, 5), 8000))], r"has 9 channels: .* give arrays as \[channels, samples\]"),
        ([Examples(Audio(torch.tensor([[1.0, float("nan")]]), 8000))], "no finite numbers"),
    ],
)
def test_examples_without_sound_are_refused(guides, message):
    with pytest.raises(GuideError, match=message):
        resolve_examples([Target("lead", guides)], cut=cut)


def test_a_damaged_file_is_refused(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"RIFF1234WAVEjunk")
    with pytest.raises(GuideError, match=r"target 'lead': example .*a\.wav"):
        resolve_examples([Target("lead", [Examples(tmp_path / "a.wav")])])


def test_the_files_of_examples_are_known():
    targets = [Target("a", [Label("x"), Examples(["a.wav", TONE], [Span(1, 2), "b.wav"])]), Target("b", Examples("c"))]
    assert example_files(targets) == (Path("a.wav"), Path("b.wav"), Path("c"))


def test_what_was_read_keeps_the_name_that_messages_give_it(tmp_path):
    write_audio(tmp_path / "riff.wav", TONE, encoding=Encoding("wav", "16"))
    examples = Examples([tmp_path / "riff.wav", TONE, Span(1, 2)])
    resolved = resolve_examples([Target("lead", examples)], cut=cut)
    for targets in (resolved, resolve_examples(resolved)):
        names = [recording.what for recording in targets[0].guides[0].positive]
        assert names == [f"target 'lead': example{name}" for name in (f" {tmp_path / 'riff.wav'}", "", " 1-2s")]
