"""Files that are looked at while their session goes."""

from types import SimpleNamespace

import pytest

from unbraid.server.analyses import Analyses
from unbraid.server.limits import Limits
from unbraid.server.refusals import NotFound


@pytest.mark.parametrize("left", [set(), {"song"}])
def test_a_failure_is_told_only_of_files_that_are_still_there(left, caplog):
    known, told = [{"song"}, left], []

    def gone(file_id):
        raise NotFound("there is no such file")

    def change(file_id, **values):
        told.append((file_id, values["state"]))
        return True

    store = SimpleNamespace(file_ids=lambda: known.pop(0), file=gone, change_file=change)
    folder = SimpleNamespace(keep_original=lambda file_id: None)
    analyses = Analyses(store, folder, limits=Limits(), changed=lambda file_id: None)
    analyses.submit("song")
    analyses._pool.shutdown(wait=True)
    assert told == [(name, "failed") for name in left]
    assert bool(caplog.records) == bool(left)
