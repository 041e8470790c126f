"""What is freed is there again; each test has a process of its own, because malloc stays as it was set."""

import os
import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has these settings")

FAULTS = """
import resource, sys
from unbraid.allocator import keep_freed_memory
changed = keep_freed_memory() if "keep" in sys.argv else None
b"x" * (64 << 20)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(8):
    b"x" * (64 << 20)
print(changed, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(*arguments: str, **settings: str) -> tuple[str, int]:
    plain = {name: value for name, value in os.environ.items() if name != "GLIBC_TUNABLES"}
    command = [sys.executable, "-c", FAULTS, *arguments]
    changed, count = subprocess.check_output(command, text=True, env={**plain, **settings}).split()
    return changed, int(count)


def test_what_is_freed_is_not_asked_of_the_system_again():
    assert page_faults("keep") == ("True", pytest.approx(0, abs=50))
    assert page_faults()[1] > 1000


def test_what_the_user_set_stays():
    changed, count = page_faults("keep", GLIBC_TUNABLES="glibc.malloc.mmap_threshold=65536")
    assert changed == "False"
    assert count > 1000
