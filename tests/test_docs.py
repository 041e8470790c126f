"""The docs are true: snippets run, links lead somewhere, and every command, option, guide and model is described."""

import doctest
import importlib
import pkgutil
import re
import shutil
from pathlib import Path
from typing import get_args

import pytest
import torch
import typer

import unbraid
from unbraid import Audio, zoo
from unbraid.audio.encoding import Encoding
from unbraid.audio.writing import write_audio
from unbraid.cli.main import app
from unbraid.guides.kinds import COUNTED_TASKS, TASKS, Guide
from unbraid.models.tuss import PRESETS, PROMPTS

HOUSE = Path(__file__).parents[1]
PAGES = sorted([*HOUSE.glob("*.md"), *HOUSE.glob("docs/**/*.md"), *HOUSE.glob("demo/**/*.md")])
LANGUAGE = r"```{}\n(.*?)```"
COMMANDS = typer.main.get_command(app).commands
MODULES = [
    module.name
    for module in pkgutil.walk_packages(unbraid.__path__, "unbraid.")
    if not module.name.endswith("__main__")
]


def named(page: Path) -> str:
    return page.relative_to(HOUSE).as_posix()


def read(name: str) -> str:
    return (HOUSE / name).read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(LANGUAGE.format(language), text, flags=re.DOTALL)


def anchors(text: str) -> set[str]:
    """Return what a link can point at in a page: its headings, as GitHub spells them."""
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A folder with the recordings that the snippets speak of."""
    monkeypatch.chdir(tmp_path)
    samples = 0.1 * torch.randn(2, 44100, generator=torch.Generator().manual_seed(0))
    write_audio("song.mp3", Audio(samples, 44100), encoding=Encoding("mp3", "-"))
    write_audio("meeting.wav", Audio(samples, 44100), encoding=Encoding("wav", "16"))
    shutil.copytree(HOUSE / "demo", "demo")


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page.read_text(), "python")], ids=named)
@pytest.mark.usefixtures("desk")
def test_snippets_run(page):
    names: dict[str, object] = {}
    for snippet in blocks(page.read_text(encoding="utf-8"), "python"):
        exec(compile(snippet, named(page), "exec"), names)


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_in_the_source_run(module):
    results = doctest.testmod(
        importlib.import_module(module), optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    )
    assert results.failed == 0


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
        if target.startswith(("http://", "https://")):
            continue
        name, _, anchor = target.partition("#")
        where = (page.parent / name).resolve() if name else page
        assert where.exists(), f"{named(page)} links to {target}"
        if anchor:
            assert anchor in anchors(where.read_text(encoding="utf-8")), f"{named(page)} links to {target}"


@pytest.mark.parametrize("command", list(COMMANDS))
def test_every_command_and_option_is_described(command):
    assert f"`unbraid {command}`" in read("README.md")
    _, _, section = read("docs/cli.md").partition(f"## unbraid {command}\n")
    assert section, f"docs/cli.md has no section on unbraid {command}"
    described = set(re.findall(r"`(--?[\w-]+)`", section.partition("\n## ")[0]))
    offered = {
        name
        for parameter in COMMANDS[command].params
        if parameter.param_type_name == "option" and parameter.name != "help"
        for name in (*parameter.opts, *parameter.secondary_opts)
    }
    assert offered <= described, f"unbraid {command}: {sorted(offered - described)} not described"
    rows = re.findall(r"^\| (`-.*?) \|", section.partition("\n## ")[0], flags=re.MULTILINE)
    listed = set(re.findall(r"`(--?[\w-]+)`", " ".join(rows)))
    assert listed <= offered, f"unbraid {command}: {sorted(listed - offered)} described, but there is no such option"


def test_no_command_is_described_that_is_not_there():
    assert set(re.findall(r"^## unbraid ([\w-]+)$", read("docs/cli.md"), flags=re.MULTILINE)) == set(COMMANDS)


def test_every_guide_prompt_and_task_is_described():
    text = read("docs/guides.md")
    rows = re.findall(r"^\| `([^`]+)` \|", text, flags=re.MULTILINE)
    assert {kind.__name__ for kind in get_args(Guide)} <= set(rows)
    assert set(PROMPTS) <= set(rows)
    assert {*TASKS, *(f"{task}=N" for task in COUNTED_TASKS)} <= set(rows)
    for task, prompts in TASKS.items():
        assert f"| `{task}` | `{' '.join(prompts)}` |" in text


def test_every_model_is_described():
    text = read("docs/models.md")
    for name in {*zoo.ZOO, *PRESETS}:
        assert f"`{name}`" in text, f"docs/models.md does not describe {name}"


def test_every_error_is_described():
    for name in unbraid.__all__:
        if name.endswith("Error") and name != "UnbraidError":
            assert f"| `{name}` |" in read("docs/python.md")


def test_every_decision_is_listed_and_complete():
    folder = HOUSE / "docs" / "decisions"
    records = sorted(folder.glob("[0-9]*.md"))
    assert [record.name[:4] for record in records] == [f"{number:04}" for number in range(1, len(records) + 1)]
    for record in records:
        text = record.read_text(encoding="utf-8")
        assert f"]({record.name})" in read("docs/decisions/README.md")
        for heading in ("Question", "Decision", "Reasons", "Consequences"):
            assert f"\n## {heading}\n" in text, f"{record.name} lacks {heading}"


def test_every_section_of_the_reproduction_is_in_its_contents():
    text = read("docs/reproduction.md")
    listed = set(re.findall(r"\]\(#([\w-]+)\)", text.partition("\n## ")[0]))
    assert listed == anchors("\n".join(re.findall(r"^## .+$", text, flags=re.MULTILINE)))


def test_the_commands_of_the_readme_are_those_of_continuous_integration():
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), flags=re.MULTILINE))
    told = set(re.findall(r"make ([a-z-]+)", " ".join(re.findall(r"`(make [^`]+)`", read("CONTRIBUTING.md")))))
    assert told <= targets
    assert {"demo", "test"} == set(re.findall(r"^\$ make ([a-z-]+)", read("README.md"), flags=re.MULTILINE))
    assert re.findall(r"^make ([a-z-]+)$", read(".ci/run"), flags=re.MULTILINE) == ["test", "test-minimal"]


def test_the_version_has_a_place_in_the_changelog():
    assert re.search(rf"^## \[({re.escape(unbraid.__version__)}|Unreleased)\]", read("CHANGELOG.md"), re.MULTILINE)
