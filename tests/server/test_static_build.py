"""The page that ships was built from the sources in studio/, and its types from the routes of the server."""

import hashlib
import json
import re
import runpy
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STUDIO = ROOT / "studio"
STATIC = ROOT / "src" / "unbraid" / "server" / "static"
FOLDERS = ("api", "audio", "canvas", "domain", "panels")
FILES = (
    "main.tsx",
    "index.html",
    "style.css",
    "icon.svg",
    "build.mjs",
    "tsconfig.json",
    "package.json",
    "package-lock.json",
)
NOTE = json.loads((STATIC / "build.json").read_text(encoding="utf-8"))
CURE = "run npm ci && npm run build in studio/, and commit both"


def sources():
    """Return the paths of all sources, as studio/build.mjs lists them."""
    found = [STUDIO / name for name in FILES]
    for folder in FOLDERS:
        found += [path for path in (STUDIO / folder).rglob("*") if path.is_file()]
    return sorted(path.relative_to(STUDIO).as_posix() for path in found)


def test_the_page_was_built_from_these_sources():
    digest = hashlib.sha256()
    for path in sources():
        content = (STUDIO / path).read_bytes()
        digest.update(f"{path}\0{len(content)}\0".encode())
        digest.update(content)
    assert NOTE["sources"] == digest.hexdigest(), CURE


def test_what_was_built_is_as_it_was_built():
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in STATIC.iterdir()}
    del found["build.json"]
    assert found == NOTE["files"], CURE


def test_building_again_gives_the_same(tmp_path):
    if shutil.which("node") is None or not (STUDIO / "node_modules" / "esbuild").is_dir():
        pytest.skip("npm ci in studio/ comes first")
    subprocess.run(["node", "build.mjs", str(tmp_path)], cwd=STUDIO, check=True, timeout=120)
    for path in STATIC.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), f"{path.name}: {CURE}"


def test_types_are_those_of_the_routes():
    pytest.importorskip("fastapi")
    make = runpy.run_path(str(ROOT / ".ci" / "make_studio_client.py"))
    written = (STUDIO / "api" / "schema.ts").read_text(encoding="utf-8")
    assert written == make["write_schema"](), "run python .ci/make_studio_client.py and build the page again"


def test_the_page_asks_no_other_site_for_anything():
    page = "".join((STATIC / name).read_text(encoding="utf-8") for name in ("index.html", "style.css", "app.js"))
    known = ("http://www.w3.org/",)  # names of XML, which are not fetched
    assert [url for url in re.findall(r"https?://[\w./-]+", page) if not url.startswith(known)] == []


def luminance(color):
    channels = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first, second):
    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_words_can_be_read(theme):
    style = (STUDIO / "style.css").read_text(encoding="utf-8")
    blocks = re.findall(r':root(?:\[data-theme="light"\])? \{(.*?)\}', style, re.DOTALL)
    colors = {}
    for block in blocks[: 1 if theme == "dark" else 2]:
        colors |= dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block))
    pairs = [(words, ground) for words in ("text", "faint", "positive", "negative", "warning", "accent")
             for ground in ("back", "panel", "raised")]  # fmt: skip
    pairs += [("on-accent", "accent")]
    too_faint = {pair: round(contrast(*(colors[one] for one in pair)), 2) for pair in pairs
                 if contrast(*(colors[one] for one in pair)) < 4.5}  # fmt: skip
    assert too_faint == {}, "WCAG AA asks for 4.5"
    assert contrast(colors["focus"], colors["panel"]) >= 3
