"""The bounds of the dependencies: closed above, and the lower ones are those that CI tries."""

import re
import tomllib
from pathlib import Path

HOUSE = Path(__file__).parents[1]


def bounds() -> dict[str, tuple[str, str]]:
    """Return name -> (lower, upper) of all dependencies, extras included."""
    project = tomllib.loads((HOUSE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    words = [*project["dependencies"], *(word for extra in project["optional-dependencies"].values() for word in extra)]
    found = {}
    for word in words:
        if word.startswith("unbraid["):
            continue
        match = re.fullmatch(r"([\w-]+)>=([\w.]+),<([\w.]+)", word)
        assert match, f"{word} needs a lower and an upper bound"
        found[match[1]] = (match[2], match[3])
    return found


def parts(version: str) -> list[int]:
    numbers = [int(part) for part in version.split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return numbers


def test_the_minimal_run_uses_the_lower_bounds():
    lines = (HOUSE / ".ci" / "minimal.txt").read_text(encoding="utf-8").splitlines()
    pinned = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    wanted = {name: lower for name, (lower, _) in bounds().items() if name != "torch"}
    assert {name: parts(version) for name, version in pinned.items()} == {
        name: parts(version) for name, version in wanted.items()
    }


def test_the_installed_torch_is_within_bounds():
    script = (HOUSE / ".ci" / "make_environment.py").read_text(encoding="utf-8")
    [version] = re.findall(r'TORCH = "torch==([\d.]+)"', script)
    lower, upper = bounds()["torch"]
    assert parts(lower) <= parts(version) < parts(upper)
