/** Where a player is: the song's time at any time of the audio clock, with a loop. */

export interface Region {
  readonly start: number;
  readonly stop: number;
}

/** A stretch of song that is to sound from a time of the audio clock on. */
export interface Stretch {
  /** On the audio clock. */
  readonly when: number;
  /** In the song. */
  readonly from: number;
  readonly to: number;
}

export const SHORTEST_LOOP = 0.05;

/** A region in order and within the song; null if it is too short to be one. */
export function regionOf(a: number, b: number, duration: number, least = 0.005): Region | null {
  const start = Math.max(0, Math.min(a, b));
  const stop = Math.min(duration, Math.max(a, b));
  return stop - start >= least ? { start, stop } : null;
}

/** What sounds in the `ahead` seconds after `when`, if the player stands at `position` then. */
export function stretches(
  position: number,
  when: number,
  ahead: number,
  duration: number,
  loop: Region | null,
): Stretch[] {
  const found: Stretch[] = [];
  const turns = loop !== null && loop.stop - loop.start >= SHORTEST_LOOP && position < loop.stop;
  let [from, at, rest] = [position, when, ahead];
  while (rest > 1e-9) {
    const end = turns ? loop.stop : duration;
    const length = Math.min(rest, end - from);
    if (length > 1e-9) found.push({ when: at, from, to: from + length });
    at += Math.max(0, length);
    rest -= Math.max(0, length);
    if (rest <= 1e-9 || !turns) break;
    from = loop.start;
  }
  return found;
}

/** The song's time at a time of the audio clock, by what was scheduled. */
export function positionAt(now: number, scheduled: readonly Stretch[]): number | null {
  for (let index = scheduled.length - 1; index >= 0; index--) {
    const one = scheduled[index]!;
    if (now >= one.when) return Math.min(one.to, one.from + now - one.when);
  }
  return scheduled[0]?.from ?? null;
}

/** Cut a stretch at the borders of chunks of so many samples, which are fetched and decoded one by one. */
export function chunked(stretch: Stretch, rate: number, chunkSamples: number): ChunkPart[] {
  const first = Math.round(stretch.from * rate);
  const stop = Math.round(stretch.to * rate);
  const parts: ChunkPart[] = [];
  for (let at = first; at < stop;) {
    const chunk = Math.floor(at / chunkSamples);
    const until = Math.min(stop, (chunk + 1) * chunkSamples);
    parts.push({
      chunk,
      offset: at - chunk * chunkSamples,
      length: until - at,
      when: stretch.when + (at - first) / rate,
    });
    at = until;
  }
  return parts;
}

export interface ChunkPart {
  readonly chunk: number;
  /** Samples into the chunk. */
  readonly offset: number;
  readonly length: number;
  /** On the audio clock. */
  readonly when: number;
}

/** The gain of a lane among others: muted ones and, where any is solo, those that are not, are silent. */
export function heardGain(lane: LaneState, lanes: readonly LaneState[]): number {
  const anySolo = lanes.some((one) => one.solo);
  if (lane.mute || (anySolo && !lane.solo)) return 0;
  return 10 ** (lane.gainDb / 20);
}

export interface LaneState {
  readonly mute: boolean;
  readonly solo: boolean;
  readonly gainDb: number;
}
