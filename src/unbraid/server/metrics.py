"""Numbers for Prometheus, in its text form."""

from __future__ import annotations

import os
import resource
import sys

import unbraid
from unbraid.server.studio import Studio


def metrics_text(studio: Studio) -> str:
    """Return all numbers of a server."""
    store, scheduler = studio.store, studio.scheduler
    jobs, files = store.count("jobs"), store.count("files")
    states = ("waiting", "running", "done", "failed", "cancelled")
    lines = [
        *_metric("unbraid_info", "gauge", "The version.", {f'version="{unbraid.__version__}"': 1}),
        *_metric("unbraid_sessions", "gauge", "Sessions.", {"": store.count("sessions")[""]}),
        *_metric("unbraid_jobs", "gauge", "Jobs by state.", {f'state="{one}"': jobs.get(one, 0) for one in states}),
        *_metric(
            "unbraid_files",
            "gauge",
            "Files by state.",
            {f'state="{one}"': files.get(one, 0) for one in ("analyzing", "teaching", "ready", "failed")},
        ),
        *_metric("unbraid_listeners", "gauge", "Connections for events.", {"": studio.bus.n_listeners}),
        *_metric(
            "unbraid_worker_up",
            "gauge",
            "Whether the process of a device runs.",
            {f'device="{device}"': int(alive) for device, alive in scheduler.alive.items()},
        ),
        *_metric("unbraid_worker_restarts_total", "counter", "Processes started again.", {"": scheduler.n_restarts}),
        *_metric(
            "unbraid_models_loaded",
            "gauge",
            "Models in the memory of the process of a device.",
            {f'device="{device}"': count for device, (count, _) in scheduler.models.items()},
        ),
        *_metric(
            "unbraid_models_bytes",
            "gauge",
            "What the weights of these models take.",
            {f'device="{device}"': n_bytes for device, (_, n_bytes) in scheduler.models.items()},
        ),
        *_metric("unbraid_models_limit_bytes", "gauge", "What they may take.", {"": studio.options.models_bytes}),
        *_metric("unbraid_disk_free_bytes", "gauge", "Free in the data folder.", {"": studio.folder.free_bytes()}),
        *_metric("process_resident_memory_bytes", "gauge", "Memory of the server.", {"": _resident_bytes()}),
    ]
    return "\n".join(lines) + "\n"


def _metric(name: str, kind: str, told: str, values: dict[str, float]) -> list[str]:
    rows = [f"{name}{{{labels}}} {value}" if labels else f"{name} {value}" for labels, value in values.items()]
    return [f"# HELP {name} {told}", f"# TYPE {name} {kind}", *rows]


def _resident_bytes() -> int:
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
