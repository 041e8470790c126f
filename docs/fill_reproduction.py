"""Put measured tables into docs/reproduction.md: ``python docs/fill_reproduction.py open=evaluation/open/report.md``.

Each argument is the name of a section of the page and the Markdown file that a command of that section wrote. Only what
lies between a section's two markers is replaced.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

PAGE = Path(__file__).parent / "reproduction.md"


def fill(page: str, name: str, content: str) -> str:
    """Return the page with one section filled; headings go below those of the page.

    Raises:
        ValueError: if the page has no such section.
    """
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    if page.count(begin) != 1 or page.count(end) != 1:
        known = ", ".join(re.findall(r"<!-- (\S+): begin -->", page))
        raise ValueError(f"the page has no section {name!r}: choose one of {known}")
    before, rest = page.split(begin)
    after = rest.split(end)[1]
    without_title = re.sub(r"\A# .*\n+", "", content)
    lowered = re.sub(r"^(#+ )", r"#\1", without_title, flags=re.MULTILINE)
    return f"{before}{begin}\n\n{lowered.strip()}\n\n{end}{after}"


def main(arguments: list[str]) -> None:
    """Fill the sections that are given as NAME=FILE."""
    page = PAGE.read_text(encoding="utf-8")
    for argument in arguments:
        name, _, file = argument.partition("=")
        page = fill(page, name, Path(file).read_text(encoding="utf-8"))
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
