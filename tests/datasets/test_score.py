from unbraid.datasets.score import Chord


def test_chord_tones_are_pitch_classes():
    assert Chord(9, (0, 3, 7, 10)).tones == (9, 0, 4, 7)
