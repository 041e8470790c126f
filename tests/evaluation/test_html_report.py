import struct
import zlib
from xml.etree import ElementTree

import numpy as np
import torch

from unbraid.evaluation.drawing import Bars, Boxes, bar_chart, box_plot, ticks_of
from unbraid.evaluation.report import bootstrap_mean
from unbraid.evaluation.spectrogram import encode_png, hear_levels, paint_spectrogram
from unbraid.evaluation.web_page import render_body, render_page


def heights(svg: str, tag: str, attribute: str) -> list[float]:
    return [float(one.attrib[attribute]) for one in ElementTree.fromstring(svg).iter(tag) if attribute in one.attrib]


def test_ticks_are_round_and_cover_the_range() -> None:
    assert ticks_of(0.0, 1.0) == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    ticks = ticks_of(-13.7, 4.2)
    assert ticks[0] <= -13.7
    assert ticks[-1] >= 4.2
    assert ticks_of(3.0, 3.0)[0] < ticks_of(3.0, 3.0)[-1]


def test_a_box_shows_quartiles_and_what_lies_beyond() -> None:
    svg = box_plot([Boxes("<vocals>", {"a": [1.0, 2.0, 3.0, 4.0, 5.0, 100.0]})], unit="dB", title="t")
    root = ElementTree.fromstring(svg)
    told = [one.text for one in root.iter("title")]
    assert "a: median 3.50, quartiles 2.25 to 4.75, 6 values" in told
    assert len(list(root.iter("circle"))) == 1
    assert "<vocals>" in [one.text for one in root.iter("text")]


def test_a_bar_is_as_long_as_its_value() -> None:
    groups = [Bars("x", {"a": bootstrap_mean([2.0]), "b": bootstrap_mean([-4.0])}, {"paper": 3.0})]
    svg = bar_chart(groups, unit="dB", title="t")
    first, second, *_ = heights(svg, "rect", "height")
    assert second == 2 * first
    assert "paper: 3.00" in svg


def test_a_spectrogram_is_a_readable_picture_of_its_tone() -> None:
    pixels = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    png = encode_png(pixels)
    width, height = struct.unpack(">II", png[16:24])
    assert (width, height) == (3, 2)
    start = png.index(b"IDAT") + 4
    (length,) = struct.unpack(">I", png[start - 8 : start - 4])
    rows = zlib.decompress(png[start : start + length])
    assert np.frombuffer(rows, np.uint8).reshape(2, 10)[:, 1:].tobytes() == pixels.tobytes()
    tone = torch.sin(2 * torch.pi * 1000 * torch.arange(16000) / 16000)[None]
    levels = hear_levels(tone, 16000)
    strongest = int(levels.mean(dim=1).argmax())
    low = hear_levels(torch.sin(2 * torch.pi * 200 * torch.arange(16000) / 16000)[None], 16000)
    assert int(low.mean(dim=1).argmax()) < strongest
    assert hear_levels(torch.randn(2, 16000 * 12), 16000).shape[1] <= 570
    assert paint_spectrogram(levels, loudest=float(levels.max())).startswith("data:image/png;base64,")


def test_markdown_becomes_a_page() -> None:
    text = "# A & B\n\nSome *plain* `a|b` **bold**\nlines.\n\n| x | n |\n|---|--:|\n| <i> | 2 |\n\n- one\n- two\n"
    page = render_page(text, ["<p>more</p>"])
    assert "<title>A &amp; B</title>" in page
    assert "<p>Some *plain* <code>a|b</code> <strong>bold</strong> lines.</p>" in page
    assert '<td>&lt;i&gt;</td><td class="number">2</td>' in page
    assert "<li>one</li>\n<li>two</li>" in page
    assert page.index("<li>two") < page.index("<p>more</p>")
    assert render_body("[docs](https://x.org/a)") == '<p><a href="https://x.org/a">docs</a></p>'
