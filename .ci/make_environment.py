"""Make a virtual environment with Unbraid in it: needs Python 3.11 or newer, and nothing else.

    python3 .ci/make_environment.py .venv [--extra test] [--minimal .ci/minimal.txt] [--torch "torch==2.13.0"]

Torch comes first and alone. On Linux the index that pip uses by default answers with a build of several
gigabytes that carries CUDA; where PyTorch's own index of CPU builds answers within three seconds, that one
is taken. Everything else follows from the bounds in pyproject.toml.
"""

import argparse
import hashlib
import importlib.util
import os
import shlex
import subprocess
import sys
import tempfile
import time
import urllib.request
import venv
from pathlib import Path

OLDEST_PYTHON = (3, 11)
TORCH = "torch==2.13.0"
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
PIP_WHEEL = (
    "https://files.pythonhosted.org/packages/07/25/"
    "ee8c38ae72d66b844ce8eb9711ba905dba21ca1a8a0c960057c41cd23337/pip-26.3-py3-none-any.whl"
)
PIP_SHA256 = "f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13"
NO_PIP = """\
This Python can make a virtual environment but not put pip into it, and pip could not be fetched ({reason}).
Either install it (Debian and Ubuntu: apt install python3-venv), or use another Python: make PYTHON=python3.12"""


def say(text):
    """Print a line at once, so that it stands before pip's own."""
    print(text, flush=True)


def make_venv(folder):
    """Make the environment; where Debian split ensurepip off, fetch pip's own wheel instead."""
    if importlib.util.find_spec("ensurepip") is not None:
        venv.EnvBuilder(with_pip=True, clear=True).create(folder)
        return
    venv.EnvBuilder(with_pip=False, clear=True).create(folder)
    try:
        with urllib.request.urlopen(PIP_WHEEL, timeout=60) as answer:
            wheel = answer.read()
    except OSError as error:
        sys.exit(NO_PIP.format(reason=error))
    if hashlib.sha256(wheel).hexdigest() != PIP_SHA256:
        sys.exit(NO_PIP.format(reason="the download is damaged"))
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch, PIP_WHEEL.rsplit("/", 1)[1])
        path.write_bytes(wheel)
        subprocess.run([python_of(folder), path / "pip", "install", "--quiet", "--no-index", path], check=True)


def python_of(folder):
    """Return the interpreter of an environment."""
    return Path(folder, "Scripts/python.exe" if os.name == "nt" else "bin/python").absolute()


def torch_arguments(wish):
    """Say where torch comes from: the caller's wish, PyTorch's CPU index if it answers, or pip's own index."""
    if wish:
        return shlex.split(wish)
    if sys.platform.startswith("linux"):
        try:
            with urllib.request.urlopen(f"{CPU_INDEX}/torch/", timeout=3):
                return [TORCH, "--index-url", CPU_INDEX]
        except OSError:
            say("PyTorch's index of CPU builds does not answer: taking torch from pip's own index")
    return [TORCH]


def install(folder, arguments):
    """Run pip in the environment; leave with pip's own message if it fails."""
    command = [python_of(folder), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments]
    if subprocess.run(command, check=False).returncode:
        sys.exit(f"pip could not install: {shlex.join(str(part) for part in arguments)}")


def main():
    """Read the command line and make the environment."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--extra", default="", help="extra of the package to install, such as test")
    parser.add_argument("--minimal", default="", help="file of constraints: the lowest versions allowed")
    parser.add_argument("--torch", default="", help="what to tell pip to get torch")
    options = parser.parse_args()
    if sys.version_info < OLDEST_PYTHON:
        wanted = ".".join(map(str, OLDEST_PYTHON))
        sys.exit(
            f"Unbraid needs Python {wanted} or newer, and {sys.executable} is {sys.version.split()[0]}: "
            f"name another one, as in: make demo PYTHON=python{wanted}"
        )
    began = time.monotonic()
    say(f"making {options.folder} with Python {sys.version.split()[0]}")
    make_venv(options.folder)
    say("installing torch (some 200 MB)")
    install(options.folder, torch_arguments(options.torch))
    say("installing unbraid" + (f"[{options.extra}]" if options.extra else ""))
    package = str(Path(__file__).resolve().parents[1]) + (f"[{options.extra}]" if options.extra else "")
    constraints = ["--constraint", options.minimal] if options.minimal else []
    install(options.folder, ["--editable", package, *constraints])
    say(f"{options.folder} is ready after {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
