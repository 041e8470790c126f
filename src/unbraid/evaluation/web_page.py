"""From the Markdown that reports are written in to a page of HTML that needs nothing from outside.

Only what the reports use is understood: headings, tables, lists, paragraphs, code and bold words.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from itertools import groupby

STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 2000px; margin: 2rem auto; padding: 0 1.5rem; }
p, li { max-width: 110ch; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.25rem; margin-top: 2.2rem; } h3 { font-size: 1rem; }
.wide { overflow-x: auto; } .plots { display: flex; flex-wrap: wrap; gap: 1rem; } .plots svg { flex: none; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 0.86rem; }
th, td { padding: 0.2rem 0.6rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
td.number, th.number { text-align: right; white-space: nowrap; }
td:first-child, th:first-child { white-space: nowrap; position: sticky; left: 0; background: Canvas; }
tbody tr:hover { background: var(--soft); }
code { font-size: 0.85em; overflow-wrap: anywhere; }
svg { max-width: none; } svg text { font: 11px system-ui, sans-serif; fill: currentColor; }
svg .grid { stroke: var(--line); } svg .zero { stroke: currentColor; }
svg .whisker { stroke: currentColor; fill: none; stroke-width: 1.2; }
.case { border: 1px solid var(--line); border-radius: 6px; padding: 0.6rem 1rem; margin: 1rem 0; }
.sounds { display: grid; grid-template-columns: repeat(auto-fit, minmax(260px, 1fr)); gap: 0.8rem; }
figure { margin: 0; } figcaption { font-size: 0.82rem; } figure img { width: 100%; height: 150px; display: block; }
figure audio { width: 100%; margin-top: 0.3rem; }
"""


def render_page(markdown: str, extra: Sequence[str] = ()) -> str:
    """Return a whole page.

    Args:
        markdown: of a report; its first heading is the title.
        extra: sections of HTML that follow.

    Example:
        >>> "<h1>Scores</h1>" in render_page("# Scores")
        True
    """
    title = next((line.lstrip("# ") for line in markdown.splitlines() if line.startswith("#")), "Evaluation")
    body = "\n".join([render_body(markdown), *extra])
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<style>{STYLE}</style>\n</head>\n'
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def render_body(markdown: str) -> str:
    r"""Return the blocks of a text, one after the other.

    Example:
        >>> render_body("- one `a<b`")
        '<ul>\n<li>one <code>a&lt;b</code></li>\n</ul>'
    """
    blocks = []
    for kind, found in groupby(markdown.splitlines(), key=_kind):
        lines = list(found)
        if kind == "heading":
            for line in lines:
                level = min(len(line) - len(line.lstrip("#")), 6)
                blocks.append(f"<h{level}>{_inline(line.lstrip('# '))}</h{level}>")
        elif kind == "table":
            blocks.append(_table(lines))
        elif kind == "list":
            items = "\n".join(f"<li>{_inline(line[2:])}</li>" for line in lines)
            blocks.append(f"<ul>\n{items}\n</ul>")
        elif kind == "text":
            blocks.append(f"<p>{_inline(' '.join(lines))}</p>")
    return "\n".join(blocks)


def _kind(line: str) -> str:
    if not line.strip():
        return "nothing"
    if line.startswith("#"):
        return "heading"
    if line.startswith("|"):
        return "table"
    return "list" if line.startswith("- ") else "text"


def _table(lines: Sequence[str]) -> str:
    head, rule, *rows = ([cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines)
    numbers = [cell.endswith(":") for cell in rule]

    def row(cells: Sequence[str], tag: str) -> str:
        kinds = [' class="number"' if number else "" for number in numbers]
        kinds += [""] * len(cells)
        done = (f"<{tag}{kind}>{_inline(cell)}</{tag}>" for cell, kind in zip(cells, kinds, strict=False))
        return f"<tr>{''.join(done)}</tr>"

    body = "\n".join(row(cells, "td") for cells in rows)
    return f'<div class="wide"><table>\n<thead>{row(head, "th")}</thead>\n<tbody>\n{body}\n</tbody></table></div>'


def _inline(text: str) -> str:
    parts = text.split("`")
    for place, part in enumerate(parts):
        if place % 2 and place < len(parts) - 1:
            parts[place] = f"<code>{escape(part, quote=False)}</code>"
        else:
            bold = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", escape(part, quote=False))
            parts[place] = re.sub(r"\[([^\]]+)\]\(([^)\s]+)\)", r'<a href="\2">\1</a>', bold)
    return "".join(parts)
