"""``unbraid studio``: the web page on which people point at sounds, and the server behind it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unbraid.cli.console import UsageError

if TYPE_CHECKING:
    from unbraid.server.limits import Limits

PORT = 8642
GIGABYTE = 1 << 30


def studio(  # noqa: PLR0913, PLR0917 - one parameter per option
    host: Annotated[str, typer.Option(help="Where to listen; other machines are let in by a --token only.")] = (
        "127.0.0.1"
    ),
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, metavar="N", help=f"Port; the first free one from {PORT} on if left out."),
    ] = None,
    token: Annotated[
        str | None, typer.Option(envvar="UNBRAID_TOKEN", help="What everybody must bring; 16 letters or more.")
    ] = None,
    allow_host: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Another name by which the server may be called.")
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(envvar="UNBRAID_STUDIO", help="Where sessions are kept.", show_default="in the library"),
    ] = None,
    browser: Annotated[bool, typer.Option(help="Open the page in a browser.")] = True,
    device: Annotated[
        list[str] | None, typer.Option(metavar="DEVICE", help="Where to compute: auto, cpu, cuda:0; one process each.")
    ] = None,
    model: Annotated[
        list[Path] | None,
        typer.Option("--model", "-m", metavar="FILE", help="A weights file to offer beside the models that ship."),
    ] = None,
    model_memory: Annotated[
        float, typer.Option(min=0.001, metavar="GB", help="What the weights of models may take, in each process.")
    ] = 2.0,
    max_upload: Annotated[float, typer.Option(min=0.001, metavar="GB", help="Largest file, in gigabytes.")] = 4.0,
    max_minutes: Annotated[float, typer.Option(min=0.01, metavar="N", help="Longest recording.")] = 180.0,
    quota: Annotated[float, typer.Option(min=0.001, metavar="GB", help="What a session may hold.")] = 50.0,
    keep_days: Annotated[float, typer.Option(min=0.01, metavar="N", help="Days until an unused session goes.")] = 30.0,
) -> None:
    """Open the studio: a web page on which you drop songs, point at sounds, and take the stems away."""
    try:
        import fastapi  # noqa: F401 - only to find out
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise UsageError(f"the studio needs {error.name}: pip install 'unbraid[studio]'") from error
    from unbraid.library import library
    from unbraid.server.processes import prepare
    from unbraid.server.run import open_socket, serve
    from unbraid.server.security import Door
    from unbraid.server.studio import StudioOptions

    for path in model or ():
        if not path.is_file():
            raise UsageError(f"--model {path}: there is no such file: check the path")
    prepare()
    door = Door(host, token, tuple(allow_host or ()))
    options = StudioOptions(
        data_dir=data_dir or library() / "studio",
        devices=pick_devices(device or ["auto"]),
        models=tuple(model or ()),
        models_bytes=round(model_memory * GIGABYTE),
        limits=_limits(max_upload, max_minutes, quota, keep_days),
    )
    listening = open_socket(host, PORT if port is None else port, is_fixed=port is not None)
    address = address_of(host, listening.getsockname()[1], token)

    def tell() -> None:
        typer.echo(f"unbraid: the studio is open at {address} (Ctrl-C closes it)", err=True)
        if browser:
            typer.launch(address)

    with listening:
        serve(options, door, listening, ready=tell)


def _limits(max_upload: float, max_minutes: float, quota: float, keep_days: float) -> Limits:
    from unbraid.server.limits import Limits

    return Limits(
        upload_bytes=round(max_upload * GIGABYTE),
        duration=60 * max_minutes,
        session_bytes=round(quota * GIGABYTE),
        keep_days=keep_days,
    )


def pick_devices(names: list[str]) -> tuple[str, ...]:
    """Return the devices to compute on; ``auto`` is every CUDA device, or else the processor.

    Raises:
        UsageError: if this machine has no such device.
    """
    import torch

    found: dict[str, None] = {}
    for name in names:
        if name == "auto":
            n_cuda = torch.cuda.device_count()
            found |= dict.fromkeys([f"cuda:{index}" for index in range(n_cuda)] or ["cpu"])
            continue
        try:
            torch.empty(1, device=name)
        except (RuntimeError, AssertionError, NotImplementedError) as error:
            raise UsageError(f"--device {name}: this machine has no such device: unbraid doctor lists them") from error
        found[name] = None
    return tuple(found)


def address_of(host: str, port: int, token: str | None) -> str:
    """Return where the page is, for a browser on this machine.

    Example:
        >>> address_of("0.0.0.0", 8642, "a secret of 18")
        'http://127.0.0.1:8642/?token=a%20secret%20of%2018'
    """
    from urllib.parse import quote

    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    bracketed = f"[{shown}]" if ":" in shown else shown
    query = "" if token is None else f"?token={quote(token, safe='')}"
    return f"http://{bracketed}:{port}/{query}"
