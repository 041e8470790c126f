"""Importing the package and asking for help stays quick, because neither imports torch."""

import resource
import subprocess
import sys

import pytest

HEAVY = ("torch", "numpy", "soundfile", "av", "matplotlib", "lightning_fabric", "fastapi", "ray", "safetensors")
HELP_SECONDS = 0.3  # of the processor, which on an idle machine is all there is to wait for


def modules_after(code: str) -> set[str]:
    """Return the names of the top-level modules that are loaded after some code ran in a fresh interpreter."""
    listing = f"{code}\nimport sys\nprint('\\n' + ' '.join(sorted(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", listing], capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in answer.stdout.splitlines()[-1].split()}


def test_import_unbraid_is_light():
    loaded = modules_after("import unbraid; unbraid.__version__; unbraid.UnbraidError")
    assert not loaded & {*HEAVY, "typer", "rich"}


def test_the_test_sees_torch():
    assert "torch" in modules_after("import unbraid; unbraid.Audio")


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["separate", "--help"], ["models", "--help"]])
def test_help_imports_nothing_heavy(words):
    code = (
        f"from unbraid.cli.main import app\ntry:\n    app({words})\nexcept SystemExit as end:\n    assert not end.code"
    )
    assert not modules_after(code) & set(HEAVY)


def test_help_takes_less_than_a_third_of_a_second():
    took = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "unbraid", "--help"], capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        took.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(took) < HELP_SECONDS, "what does unbraid --help import?"
