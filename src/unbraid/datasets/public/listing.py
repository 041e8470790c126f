"""What lies in the folders and tables of a dataset, without what systems leave beside it."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from unbraid.datasets.public.dataset import Fault
from unbraid.datasets.public.headers import survey
from unbraid.errors import DatasetError, WrongRootError

LITTER = frozenset(("Thumbs.db", "desktop.ini", "__MACOSX"))
_NEAR = 3  # folders above one in which a dataset is looked for


def is_litter(path: Path) -> bool:
    """Tell whether a file was left by a system: ``.DS_Store``, ``._a.wav``, ``__MACOSX``.

    Example:
        >>> [is_litter(Path(name)) for name in ("._a.wav", ".DS_Store", "a.wav")]
        [True, True, False]
    """
    return path.name.startswith(".") or path.name in LITTER


def folders(folder: Path) -> list[Path]:
    """Return the folders in a folder, by name; none where there is no such folder."""
    return _entries(folder, lambda path: path.is_dir())


def files(folder: Path, *suffixes: str) -> list[Path]:
    """Return the files in a folder whose names end so, in capitals or not, by name; none where there is no folder."""
    return _entries(folder, lambda path: path.suffix.lower() in suffixes and path.is_file())


def _entries(folder: Path, wanted: Callable[[Path], bool]) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if not is_litter(path) and wanted(path))


def base_of(root: Path, *, inside: Sequence[str], holds: Sequence[str], title: str) -> Path:
    """Return the folder in which a dataset lies: the root, or a folder in it.

    Args:
        root: that the user gave.
        inside: names of the folder as it comes out of the archive, such as ``LibriSpeech``.
        holds: names of files and folders of which it holds at least one.
        title: of the dataset, for the message.

    Raises:
        WrongRootError: if neither holds any of them.
    """

    def is_base(folder: Path) -> bool:
        return any((folder / name).exists() for name in holds)

    return find_base(root, inside=inside, is_base=is_base, title=title, lack=f"it holds none of {', '.join(holds)}")


def find_base(root: Path, *, inside: Sequence[str], is_base: Callable[[Path], bool], title: str, lack: str) -> Path:
    """Return the folder in which a dataset lies: the root, or a folder in it.

    Args:
        root: that the user gave.
        inside: names of the folder as it comes out of the archive.
        is_base: tells whether a folder is it.
        title: of the dataset, for the message.
        lack: what a folder that is not it lacks, for the message.

    Raises:
        WrongRootError: if neither is it; the message names the folder that is, where it lies a little above or below.
    """
    found = _base_at(root, inside, is_base)
    if found is not None:
        return found
    if not root.is_dir():
        lack = "it is a file" if root.is_file() else "there is no such folder"
    nearby = (*root.absolute().parents[:_NEAR], *folders(root))
    near = next((folder for folder in nearby if _base_at(folder, inside, is_base) is not None), None)
    advice = "give the folder that its archives were unpacked in" if near is None else f"it seems to lie in {near}"
    raise WrongRootError(f"{root}: this is not {title} ({lack}): {advice}")


def _base_at(folder: Path, inside: Sequence[str], is_base: Callable[[Path], bool]) -> Path | None:
    return next((one for one in (*(folder / name for name in inside), folder) if is_base(one)), None)


def check_split(split: str, splits: Sequence[str], *, title: str) -> None:
    """Raise DatasetError if a dataset has no such split."""
    if split not in splits:
        raise DatasetError(f"{title} has no split {split!r}: choose one of {', '.join(splits)}")


def read_lines(path: Path) -> list[str]:
    """Return the lines of a list that are not empty, without spaces at their ends.

    Raises:
        DatasetError: if it cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path}: {reason_of(error)}: unpack the archive of the dataset again") from error
    return [line.strip() for line in text.splitlines() if line.strip()]


def read_table(path: Path, *, columns: Sequence[str]) -> list[dict[str, str]]:
    """Return the rows of a CSV file whose first line names its columns.

    Raises:
        DatasetError: if it cannot be read, or lacks one of the columns.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            head = list(reader.fieldnames or ())
            rows = [{key: value or "" for key, value in row.items() if key is not None} for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path}: {reason_of(error)}: unpack the archive of the dataset again") from error
    missing = [name for name in columns if name not in head]
    if missing:
        raise DatasetError(f"{path}: there is no column {', '.join(missing)}: unpack the archive of the dataset again")
    return rows


def size_fault(path: str, *, found: int, expected: int, what: str, cure: str) -> list[Fault]:
    """Return a fault if a part of the dataset does not have as many of something as it was published with."""
    if found == expected:
        return []
    return [Fault(path, f"{found} {what}, {expected} were published", cure)]


def sound_faults(
    root: Path, paths: Iterable[Path], *, sample_rates: Sequence[int], n_channels: Sequence[int], cure: str
) -> list[Fault]:
    """Return what is wrong with recordings by their headers: missing, unreadable, empty, of another rate or width."""
    found = survey(paths)
    faults = []
    for path, reason in found.broken.items():
        problem = reason.removeprefix(f"{path}: ").split(": ")[0] if path.is_file() else "the file is missing"
        faults.append(Fault(relative(path, root), problem, cure))
    for path, streams in found.headers.items():
        rate, width = streams[0].sample_rate, streams[0].n_channels
        if rate not in sample_rates:
            problem = f"its rate is {rate} Hz, not {' or '.join(map(str, sample_rates))}"
            faults.append(Fault(relative(path, root), problem, cure))
        elif width not in n_channels:
            problem = f"it has {width} channels, not {' or '.join(map(str, n_channels))}"
            faults.append(Fault(relative(path, root), problem, cure))
    return sorted(faults, key=lambda fault: fault.path)


def length_faults(root: Path, together: Iterable[Sequence[Path]], *, cure: str) -> list[Fault]:
    """Return a fault for recordings of one rate that belong together but are not equally long.

    Args:
        root: of the dataset.
        together: a mixture and its stems, say; the fault names the first one.
        cure: what mends it.
    """
    groups = [tuple(group) for group in together]
    headers = survey(path for group in groups for path in group if path.is_file()).headers
    faults = []
    for group in groups:
        known = [(path, headers[path][0]) for path in group if path in headers]
        lengths = {header.n_samples: f"{path.parent.name}/{path.name}" for path, header in known}
        if len(lengths) > 1 and len({header.sample_rate for _, header in known}) == 1:
            told = ", ".join(f"{name} has {length}" for length, name in sorted(lengths.items()))
            faults.append(Fault(relative(group[0], root), f"its files differ in length: {told} samples", cure))
    return faults


def fault_of(error: DatasetError, root: Path, *, cure: str) -> Fault:
    """Return an error, which begins with the file that it is about, as a fault of that."""
    path, _, problem = str(error).partition(": ")
    return Fault(relative(Path(path), root), problem.removesuffix(f": {cure}"), cure)


def reason_of(error: Exception) -> str:
    """Say in one line why a table of a dataset could not be read.

    Example:
        >>> reason_of(KeyError("stems")), reason_of(FileNotFoundError())
        ("it cannot be understood (KeyError: 'stems')", 'it is missing')
    """
    if isinstance(error, FileNotFoundError):
        return "it is missing"
    return f"it cannot be understood ({' '.join(f'{type(error).__name__}: {error}'.split())})"


def relative(path: Path, root: Path) -> str:
    """Return a path as seen from a root, with slashes; one that lies elsewhere as it is."""
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()
