/** What the desk means on the time axis: regions by pointer, and marks of the target that is worked on. */

import type { TimeSurface } from "../canvas/gestures.ts";
import type { Mark } from "../canvas/scene.ts";
import type { Target } from "../domain/request.ts";
import { duration, region, view } from "./desk.ts";
import { seek } from "./playback.ts";

export const surface: TimeSurface = {
  view: () => view.value,
  setView: (next) => (view.value = next),
  duration: () => duration.value,
  region: () => region.value,
  setRegion: (next) => (region.value = next),
  seek,
};

/** Passages of the song that a target is pointed at with. */
export function marksOf(target: Target | null): Mark[] {
  if (!target) return [];
  const passages = (side: Target["positive"], sounds: boolean, words: string): Mark[] =>
    side.flatMap((one) => (one.kind === "span" ? [{ start: one.start, stop: one.stop, sounds, words }] : []));
  return [
    ...passages(target.positive, true, "like this"),
    ...passages(target.negative, false, "not like this"),
    ...target.spans.map((span) => ({ ...span, words: span.sounds ? "sounds here" : "does not sound here" })),
  ];
}
