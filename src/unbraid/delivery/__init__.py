"""From a file to its stems in files, with a manifest that tells how they were made."""

from unbraid.delivery.files import DeliveryOptions, separate_file
from unbraid.delivery.manifest import Manifest, Provenance, StemRecord

__all__ = ["DeliveryOptions", "Manifest", "Provenance", "StemRecord", "separate_file"]
