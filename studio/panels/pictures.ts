/** Pictures of the sounds that are shown: the song's, and those of the stems. */

import { signal } from "@preact/signals";
import type { SoundShape } from "../audio/chunks.ts";
import type { Preview } from "../canvas/preview.ts";
import { SoundPicture } from "../canvas/sound_picture.ts";
import { complain } from "./desk.ts";
import { chunks } from "./playback.ts";

/** Counts tiles that arrived: what is drawn watches it. */
export const arrivals = signal(0);

let announced = false;

/** Many tiles arrive at once; one drawing shows them all. */
function arrived(): void {
  if (announced) return;
  announced = true;
  requestAnimationFrame(() => {
    announced = false;
    arrivals.value++;
  });
}
chunks.onArrival = arrived;

const MOST_PICTURES = 48;
const pictures = new Map<string, SoundPicture>();

export function pictureOf(sound: SoundShape): SoundPicture {
  let picture = pictures.get(sound.id);
  if (!picture) picture = new SoundPicture(sound, chunks, arrived, (error) => complain("play", error));
  picture.sound = sound;
  pictures.delete(sound.id);
  pictures.set(sound.id, picture);
  for (const id of pictures.keys()) {
    if (pictures.size <= MOST_PICTURES) break;
    pictures.delete(id);
  }
  return picture;
}

let offered: { preview: Preview; ids: Set<string> } | null = null;

/** The picture of the song that the page read itself, until the server's is there. */
export function pictureOfSong() {
  return {
    offer(preview: Preview, id: string): void {
      const isNew = offered?.preview !== preview;
      offered = isNew ? { preview, ids: new Set([id]) } : offered;
      offered!.ids.add(id);
      if (isNew) {
        preview.analyze(() => {
          for (const each of offered?.ids ?? []) pictures.get(each)?.refreshPreview();
          arrived();
        });
      }
      arrived();
    },
    /** The server knows the song now: its picture goes on with what is there. */
    show(sound: SoundShape, takesOver: boolean): SoundPicture {
      const picture = pictureOf(sound);
      const fits =
        offered &&
        Math.abs(offered.preview.channels[0]!.length / offered.preview.rate - sound.nSamples / sound.rate) < 0.05;
      if (offered && fits && (offered.ids.has(sound.id) || takesOver)) {
        if (!offered.ids.has(sound.id) || !picture.hasPreview)
          picture.setPreview(offered.preview.pyramid, offered.preview.peaks, offered.preview.rate);
        offered.ids.add(sound.id);
      }
      return picture;
    },
  };
}
