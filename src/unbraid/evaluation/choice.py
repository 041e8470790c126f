"""What is listened to: folders of stems, passages of packs, songs that are composed here."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from unbraid.datasets.pack import read_pack
from unbraid.datasets.soundfont import open_player
from unbraid.datasets.track import SourcePool
from unbraid.errors import SettingsError
from unbraid.evaluation.drawn import drawn_items
from unbraid.evaluation.items import ItemSource, choose_items, find_items
from unbraid.evaluation.pointed_windows import WindowSource, choose_windows, composed_melodies, pack_melodies
from unbraid.evaluation.tracks import (
    TrackSource,
    by_instrument,
    by_stem,
    composed_tracks,
    find_tracks,
    pool_tracks,
)
from unbraid.settings import Settings

DRAWN_ITEMS = 200
DRAWN_TRACKS = 20


@dataclass(frozen=True)
class Choice:
    """Where the recordings come from, and how many are chosen.

    Args:
        data: a tree of folders with stems, or packs; None if songs are composed only.
        tracks: how many items; of windows, of each group. None is all, or what is usual for packs.
        seed: of the choice, and of everything else that is drawn.
        composed: so many songs are composed beside.
        held_out: of packs: only this fraction of their tracks, as in training.
        instruments: whether stems are called by 18 instruments, or vocals, drums, bass and other.
        duration: of a song that is composed, or cut out of a pack, in seconds.
        distributed_mixture: take mixture files instead of the sum of the stems.
        settings: of the separation.
    """

    data: Path | None = None
    tracks: int | None = None
    seed: int = 0
    composed: int = 0
    held_out: float | None = None
    instruments: bool = True
    duration: float = 12.0
    distributed_mixture: bool = False
    settings: Settings = field(default_factory=Settings)

    def folder(self, protocol: str) -> Path:
        """Return where the recordings lie.

        Raises:
            SettingsError: if that was not said.
        """
        if self.data is None:
            raise SettingsError(f"the protocol {protocol} needs recordings: give --data")
        return self.data

    def items(self, protocol: str) -> list[ItemSource]:
        """Draw from a pack or a folder of packs, or find folders of stems."""
        data = self.folder(protocol)
        pool = self._pool(data)
        if pool is not None:
            return drawn_items(pool, count=self.tracks or DRAWN_ITEMS, seed=self.seed)
        found = find_items(data, distributed_mixture=self.distributed_mixture)
        return choose_items(found, count=self.tracks, seed=self.seed)

    def songs(self) -> list[TrackSource]:
        """Find folders of stems, cut passages out of packs, and compose songs.

        Raises:
            SettingsError: if there is nothing to listen to.
        """
        self._check()
        labels = by_instrument if self.instruments else by_stem
        found: list[TrackSource] = []
        pool = None if self.data is None else self._pool(self.data)
        if pool is not None:
            count = self.tracks or DRAWN_TRACKS
            found = pool_tracks(pool, labels=labels, count=count, seed=self.seed, duration=self.duration)
        elif self.data is not None:
            found = choose_items(find_tracks(self.data, labels=labels), count=self.tracks, seed=self.seed)
        if self.composed:
            found += composed_tracks(
                labels=labels, count=self.composed, seed=self.seed, duration=self.duration, player=open_player()
            )
        return found

    def windows(self) -> list[WindowSource]:
        """Choose windows of packs, and of songs that are composed.

        Raises:
            SettingsError: if there is nothing to listen to.
        """
        self._check()
        sets = [] if self.data is None else pack_melodies(self.data)
        if self.composed:
            sets.append(composed_melodies(count=self.composed, seed=self.seed))
        return [window for one in sets for window in choose_windows(one, count=self.tracks, seed=self.seed)]

    def _check(self) -> None:
        if self.data is None and not self.composed:
            raise SettingsError("there is nothing to listen to: give --data, --composed, or both")

    def _pool(self, data: Path) -> SourcePool | None:
        """Return the sources of a pack or a folder of packs; None if it is neither."""
        packs = sorted(samples.parent for pattern in ("samples.i16", "*/samples.i16") for samples in data.glob(pattern))
        if not packs:
            return None
        pool = SourcePool(source for pack in packs for source in read_pack(pack))
        return pool if self.held_out is None else pool.split(self.held_out)[1]
