import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from unbraid.datasets.parallel import run_all
from unbraid.errors import DatasetError


def touch(name, *, folder):
    (Path(folder) / name).write_text(str(os.getpid()))


def fail(name):
    raise DatasetError(f"no {name}")


def die(name):
    os._exit(3)


@pytest.mark.parametrize("jobs", [1, 2])
def test_everything_is_done_once(tmp_path, jobs):
    done = []
    run_all(partial(touch, folder=tmp_path), ["a", "b", "c"], jobs=jobs, progress=done.append)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "c"]
    assert done == [1, 2, 3]
    assert all((path.read_text() == str(os.getpid())) == (jobs == 1) for path in tmp_path.iterdir())


def test_nothing_to_do(tmp_path):
    run_all(fail, [], jobs=2)


def test_errors_come_through():
    for jobs in (1, 2):
        with pytest.raises(DatasetError, match="no x"):
            run_all(fail, ["x", "x", "x"], jobs=jobs)


def test_a_process_that_dies():
    with pytest.raises(DatasetError, match="was killed"):
        run_all(die, ["x", "y"], jobs=2)


def test_jobs_below_one():
    with pytest.raises(DatasetError, match="0 jobs"):
        run_all(fail, ["x"], jobs=0)


def test_processes_end_with_one_that_is_killed(tmp_path):
    code = """
import os, signal
from concurrent.futures import wait
from unbraid.datasets.parallel import open_pool
with open_pool(2) as pool:
    pids = {pool.submit(os.getpid).result() for _ in range(4)}
    print(*pids, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    answer = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=False, timeout=60)
    assert answer.returncode == -signal.SIGKILL
    assert answer.stdout  # run() returned: no process that outlived the call holds its end of the pipe
