"""How fast the Slakh2100 layout is rendered: times real time, with and without a SoundFont.

    python benchmarks/render.py [--tracks 8] [--duration 60] [--jobs 2]

Starting the processes and loading the SoundFont are part of the time.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import tempfile
import time
from pathlib import Path

from unbraid.datasets.slakh import render_dataset
from unbraid.datasets.soundfont import choose_soundfont


def main() -> None:
    """Render twice and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tracks", type=int, default=8)
    parser.add_argument("--duration", type=float, default=60.0)
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    print(f"{given.tracks} tracks of {given.duration:g} s, {given.jobs} processes; {platform.processor() or 'cpu'}, ")
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before the start")
    found = choose_soundfont()
    for name, soundfont in (("built-in synthesis", ""), ("SoundFont", found)):
        if soundfont is None:
            print(f"{name:20} none installed")
            continue
        with tempfile.TemporaryDirectory() as folder:
            before = _child_seconds()
            started = time.monotonic()
            out = Path(folder) / "slakh"
            render_dataset(
                out, tracks=given.tracks, seed=0, duration=given.duration, soundfont=soundfont, jobs=given.jobs
            )
            seconds = time.monotonic() - started
            busy = _child_seconds() - before
        audio = given.tracks * given.duration
        print(f"{name:20} {seconds:6.1f} s  {audio / seconds:6.1f} times real time  "
              f"{busy:6.1f} CPU s  {audio / busy:6.1f} times real time per core")  # fmt: skip


def _child_seconds() -> float:
    """Return the CPU time of this process and of the ones that it has waited for."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_CHILDREN, resource.RUSAGE_SELF))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


if __name__ == "__main__":
    main()
