"""Everything that Unbraid raises on purpose.

UnbraidError
├── AudioError          a recording that cannot be read, written or understood
│   ├── AudioReadError      missing, damaged, empty, of an unknown format
│   └── AudioWriteError     full disk, missing permission, level above full scale
├── GuideError          a guide that is malformed, contradicts another, or is foreign to the model
├── ModelError          unknown model name, damaged or foreign weights
├── SettingsError       a setting that is out of range, unknown, or makes no sense
├── DatasetError        a data set that is not where, or not what, it should be
│   └── WrongRootError      a folder that is not this data set at all
├── RecipeError         a training recipe that cannot be run as asked
└── Cancelled           the caller asked to stop

Every message is one line that says what was wrong, where, and what to do.
"""


class UnbraidError(Exception):
    """Base of all errors that Unbraid raises on purpose."""


class AudioError(UnbraidError):
    """A recording cannot be read, written or understood."""


class AudioReadError(AudioError):
    """A recording is missing, damaged, empty, or of a format that cannot be decoded."""


class AudioWriteError(AudioError):
    """A recording cannot be written as asked."""


class GuideError(UnbraidError):
    """A guide is malformed, contradicts another one, or is foreign to the model."""


class ModelError(UnbraidError):
    """A model name is unknown, or a weights file is damaged or foreign."""


class SettingsError(UnbraidError):
    """A setting is out of range, unknown, or makes no sense."""


class DatasetError(UnbraidError):
    """A data set is not where, or not what, it should be."""


class WrongRootError(DatasetError):
    """A folder is not the data set that was asked for, damaged or not."""


class RecipeError(UnbraidError):
    """A training recipe cannot be run as asked."""


class Cancelled(UnbraidError):
    """The caller asked to stop before the work was done."""
