"""Rooms import only rooms of lower floors, and only some rooms know some packages."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "unbraid"

FLOORS = {
    "allocator": 0,
    "audio": 0,
    "library": 0,
    "hub": 0,
    "guides": 1,
    "models": 2,
    "priors": 1,
    "zoo": 3,
    "datasets": 3,
    "request": 4,
    "separation": 5,
    "settings": 3,
    "asked_model": 4,
    "teaching": 4,
    "delivery": 6,
    "training": 6,
    "evaluation": 6,
    "explanation": 6,
    "listening": 7,
    "server": 7,
    "client": 0,
    "cli": 8,
}
EVERYONES = {"errors"}
DOORS = {"__init__", "__main__"}
NEVER = {("datasets", "models")}
KEPT_TO = {
    "typer": ("cli/",),
    "rich": ("cli/",),
    "av": ("audio/containers.py", "audio/container_ranges.py", "audio/stem_mp4.py", "cli/doctor.py"),
    "lightning_fabric": ("training/",),
    "huggingface_hub": ("hub.py",),
    "soxr": ("audio/resample.py",),
    "PIL": ("guides/mask_files.py",),
    "matplotlib": ("explanation/picture.py",),
    "fastapi": ("server/", "cli/studio.py"),
    "starlette": ("server/",),
    "uvicorn": ("server/", "cli/studio.py"),
    "pydantic": ("server/",),
    "ray": (),
}
FORBIDDEN_NAMES = {"utils", "helpers", "common", "misc"}
SHARED_BY_MODELS = {
    "__init__",
    "separator",
    "losses",
    "diffusion",
    "eight_bits",
    "published",
    "published_files",
    "published_guidesep",
    "published_instglow",
    "published_lasaft",
    "weights_files",
}


def imports(path: Path) -> Iterator[str]:
    """Yield every absolute module that a file imports, in functions and under TYPE_CHECKING too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import hides where a name comes from"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room_of(module: str) -> str:
    """Return the room that a module of ours lies in: unbraid.audio.files is in audio."""
    return module.split(".")[1]


def rooms() -> set[str]:
    return {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}


FILES = sorted(path for path in PACKAGE.rglob("*.py"))
NAMES = [path.relative_to(PACKAGE).as_posix() for path in FILES]


def violations(name: str, modules: list[str]) -> list[str]:
    """Return what a file, named below the package, must not import."""
    here = name.split("/", maxsplit=1)[0].removesuffix(".py")
    found = []
    for module in modules:
        top = module.split(".")[0]
        if top in KEPT_TO and not name.startswith(KEPT_TO[top]):
            found.append(f"{name} imports {module}, which only {KEPT_TO[top] or 'no room'} knows")
        if top != "unbraid" or module.count(".") == 0 or here in EVERYONES | DOORS:
            continue
        there = room_of(module)
        if there not in FLOORS or there == here:
            continue
        if FLOORS[there] >= FLOORS[here] or (here, there) in NEVER:
            found.append(f"{name} imports {module}: {here} is on floor {FLOORS[here]}, {there} on {FLOORS[there]}")
    return found


@pytest.mark.parametrize("name", NAMES)
def test_imports_only_lower_floors(name):
    assert violations(name, list(imports(PACKAGE / name))) == []


def test_every_room_has_a_floor():
    assert rooms() - {"weights"} - EVERYONES - DOORS <= set(FLOORS)


def test_errors_import_nothing_of_ours():
    assert [module for module in imports(PACKAGE / "errors.py") if module.startswith("unbraid")] == []


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("audio/files.py", "unbraid.guides.kinds"),
        ("datasets/mixing.py", "unbraid.models.tuss"),
        ("evaluation/report.py", "unbraid.training.loop"),
        ("zoo.py", "unbraid.separation"),
        ("models/tuss.py", "rich.table"),
        ("audio/files.py", "av"),
    ],
)
def test_the_test_sees_a_violation(name, module):
    assert len(violations(name, [module])) == 1


def test_a_model_never_imports_a_model():
    models = {path.stem for path in (PACKAGE / "models").glob("*.py")} - SHARED_BY_MODELS
    for model in models:
        taken = {module.split(".")[2] for module in imports(PACKAGE / f"models/{model}.py") if ".models." in module}
        others = {other for other in models if other.split("_")[0] != model.split("_")[0]}
        assert not taken & others, f"models/{model}.py imports {taken & others}"


@pytest.mark.parametrize("name", NAMES)
def test_what_must_not_exist(name):
    assert not FORBIDDEN_NAMES & set(name.removesuffix(".py").split("/"))
    for node in ast.walk(ast.parse((PACKAGE / name).read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        assert called != "print", f"{name}:{node.lineno}: the library does not print"
        assert not called.endswith(".cuda") or called == "torch.cuda", f"{name}:{node.lineno}: use .to(device)"
        if called in {"torch.stft", "torch.istft"}:
            assert name == "audio/stft.py", f"{name}:{node.lineno}: there is one STFT, in audio/stft.py"
        if called == "torch.load":
            arguments = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            assert arguments.get("weights_only") == "True", f"{name}:{node.lineno}: load tensors only"
