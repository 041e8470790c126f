import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).parents[2] / "docs"


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fill_reproduction", DOCS / "fill_reproduction.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


script = load()
PAGE = "# Page\n\n<!-- open: begin -->\nold\n<!-- open: end -->\n\nkept\n\n<!-- speed: begin -->\n<!-- speed: end -->\n"


def test_only_the_named_section_is_replaced() -> None:
    page = script.fill(PAGE, "open", "# Title\n\nwords\n\n## Table\n\n| a |\n")
    assert page == PAGE.replace("\nold\n", "\n\nwords\n\n### Table\n\n| a |\n\n")
    assert script.fill(page, "open", "# Title\n\nwords\n\n## Table\n\n| a |\n") == page


def test_an_unknown_section_is_refused() -> None:
    with pytest.raises(ValueError, match="no section 'demo': choose one of open, speed"):
        script.fill(PAGE, "demo", "")


def test_the_page_has_the_sections_that_it_tells_to_fill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page, table = tmp_path / "reproduction.md", tmp_path / "table.md"
    page.write_text((DOCS / "reproduction.md").read_text(encoding="utf-8"), encoding="utf-8")
    table.write_text("| measured |", encoding="utf-8")
    monkeypatch.setattr(script, "PAGE", page)
    names = ("open", "drawn", "conventional", "speed", "labels", "examples", "examples-composed", "claims")
    for name in names:
        script.main([f"{name}={table}"])
    assert page.read_text(encoding="utf-8").count("| measured |") == len(names)
