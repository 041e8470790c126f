"""Weights on the Hugging Face Hub: ``hf:OWNER/REPO/FILE@REVISION``, downloaded once and kept in the Hub's own cache."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from unbraid.errors import ModelError

SCHEME = "hf:"
SUFFIX = ".safetensors"
FORM = f"{SCHEME}OWNER/REPO, {SCHEME}OWNER/REPO/FILE{SUFFIX} or either of them with @REVISION"
_PARTS = re.compile(r"hf:([\w.-]+/[\w.-]+)(?:/([^@]+))?(?:@(.+))?")


@dataclass(frozen=True)
class HubFile:
    """A file on the Hub.

    Args:
        repo: ``OWNER/REPO``.
        file: its path there; None is the only weights file that there is.
        revision: a branch, a tag or a commit; None is the main branch.
    """

    repo: str
    file: str | None = None
    revision: str | None = None

    @classmethod
    def parse(cls, text: str) -> HubFile:
        """Read what `-m` is given.

        Raises:
            ModelError: if it has another form, or is no safetensors file: others may hold code.

        Example:
            >>> HubFile.parse("hf:ann/tuss/best.safetensors@v2")
            HubFile(repo='ann/tuss', file='best.safetensors', revision='v2')
        """
        match = _PARTS.fullmatch(text)
        if match is None:
            raise ModelError(f"{text}: names no file on the Hugging Face Hub: write {FORM}")
        repo, file, revision = match.groups()
        if file is not None and not file.endswith(SUFFIX):
            raise ModelError(
                f"{text}: only {SUFFIX} files are downloaded, others may hold code: name one, as in {FORM}"
            )
        return cls(repo, file, revision)

    def __str__(self) -> str:
        at = "" if self.revision is None else f"@{self.revision}"
        return f"{SCHEME}{self.repo}{'' if self.file is None else f'/{self.file}'}{at}"


def is_on_hub(name: object) -> bool:
    """Tell whether a model is named as a file on the Hub.

    Example:
        >>> is_on_hub("hf:ann/tuss"), is_on_hub("tuss-small")
        (True, False)
    """
    return str(name).startswith(SCHEME)


def download(wanted: HubFile) -> Path:
    """Return where a file lies on this machine, downloaded unless it is there.

    `HF_HOME`, `HF_TOKEN`, `HF_HUB_OFFLINE` and the other settings of huggingface_hub hold.

    Raises:
        ModelError: if there is no such repository, revision or file, it is not clear which file is meant, or the Hub
            cannot be reached.
    """
    try:
        import huggingface_hub as hub
    except ImportError as error:
        raise ModelError(f"{wanted}: downloading needs huggingface_hub: pip install 'unbraid[hub]'") from error
    try:
        file = wanted.file or _only_file(wanted, hub.list_repo_files(wanted.repo, revision=wanted.revision))
        return Path(hub.hf_hub_download(wanted.repo, file, revision=wanted.revision))
    except ModelError:
        raise
    except Exception as error:  # the errors of its HTTP library, which another version may exchange, among them
        raise ModelError(f"{wanted}: {_explain(error)}") from error


def _only_file(wanted: HubFile, files: list[str]) -> str:
    found = sorted(file for file in files if file.endswith(SUFFIX))
    if len(found) != 1:
        listed = f"{', '.join(found)}: name one of them" if found else f"none: name a repository with a {SUFFIX} file"
        raise ModelError(f"{wanted}: one weights file is looked for, and there are {listed}, as in {FORM}")
    return found[0]


def _explain(error: Exception) -> str:
    """Say what went wrong, and the cure."""
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError):
        return "its owner lets in whom he knows: ask on its page on huggingface.co, and log in with hf auth login"
    if isinstance(error, errors.RepositoryNotFoundError):
        return "there is no such repository, or it is private: check the name, and log in with hf auth login"
    if isinstance(error, errors.RevisionNotFoundError):
        return "there is no such revision: give a branch, a tag or a commit"
    if isinstance(error, errors.EntryNotFoundError) and not isinstance(error, errors.LocalEntryNotFoundError):
        return "there is no such file in this repository: check its name"
    if isinstance(error, errors.HFValidationError):
        return f"no name that the Hub can have ({_first_line(error)}): write {FORM}"
    cure = "connect to the network, or download the file elsewhere and give its path"
    return f"not in the cache, and the Hub cannot be reached ({_first_line(error)}): {cure}"


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".") or type(error).__name__
