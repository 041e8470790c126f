"""Where a run trains: on which device, in how many processes, in which precision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from unbraid.errors import RecipeError

if TYPE_CHECKING:
    from lightning_fabric import Fabric

FABRIC_PRECISIONS = {"fp32": "32-true", "bf16": "bf16-mixed"}


@dataclass(frozen=True)
class Place:
    """Where to train.

    Args:
        device: "auto", "cpu", "cuda" or "mps".
        n_processes: one per device, or several on the CPU.
    """

    device: str = "auto"
    n_processes: int = 1


AUTO = Place()


def make_fabric(precision: str, place: Place) -> Fabric:
    """Return what knows about devices, precision and processes.

    Raises:
        RecipeError: if Lightning Fabric is not installed or there is no such device.
    """
    try:
        from lightning_fabric import Fabric
        from lightning_fabric.strategies.ddp import DDPStrategy
    except ImportError as error:
        raise RecipeError("training needs Lightning Fabric: pip install 'unbraid[train]'") from error
    strategy: Any = "auto"
    if place.n_processes > 1:
        strategy = DDPStrategy(find_unused_parameters=True)  # prompts that a batch does not name get no gradient
    try:
        return Fabric(
            accelerator=place.device,
            devices=place.n_processes,
            strategy=strategy,
            precision=FABRIC_PRECISIONS[precision],  # type: ignore[arg-type]
        )
    except (RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise RecipeError(f"device {place.device!r} cannot be used ({reason}): try --device cpu") from error
