/** Coarser and coarser versions of a song, so that any zoom draws about as many values as there are pixels. */

import { DRAWN_PER_SECOND, N_DRAWN_BANDS } from "./mel.ts";

/** Every level joins four columns of the one before. */
export const FACTOR = 4;
export const TILE_FRAMES = 256;
export const TILE_BINS = 1024;
export const PEAK_STEP = 256;

/** The level whose columns are about a pixel wide; `columnsPerPixel` counts those of level 0. */
export function levelFor(columnsPerPixel: number, nLevels: number): number {
  const level = Math.floor(Math.log(Math.max(1, columnsPerPixel)) / Math.log(FACTOR) + 0.35);
  return Math.min(nLevels - 1, Math.max(0, level));
}

export interface TileAddress {
  readonly level: number;
  readonly index: number;
}

/** The tiles of a level that a stretch of columns (of level 0) lies on. */
export function tilesOf(
  level: number,
  first: number,
  stop: number,
  nColumns: number,
  tileColumns: number,
): TileAddress[] {
  const width = tileColumns * FACTOR ** level;
  const tiles: TileAddress[] = [];
  const last = Math.min(stop, nColumns);
  for (let index = Math.max(0, Math.floor(first / width)); index * width < last; index++) tiles.push({ level, index });
  return tiles;
}

/** How many levels a song of so many columns needs until one tile holds all. */
export function levelsOf(nColumns: number, tileColumns: number): number {
  return Math.max(1, Math.ceil(Math.log(Math.max(1, nColumns / tileColumns)) / Math.log(FACTOR) - 1e-9) + 1);
}

/** What the page itself computes of a spectrogram, from level 1 on: bytes `[frames, 216]`, filled as they come. */
export class PreviewPyramid {
  static readonly FIRST = 1;
  static readonly FRAMES_PER_SECOND = DRAWN_PER_SECOND / FACTOR;
  readonly nFrames: number;
  private readonly levels: Uint8Array[] = [];
  private readonly widths: number[] = [];

  constructor(duration: number) {
    const nColumns = Math.ceil(duration * DRAWN_PER_SECOND) + 1;
    this.nFrames = Math.ceil(nColumns / FACTOR);
    for (let level = PreviewPyramid.FIRST; level < Math.max(2, levelsOf(nColumns, TILE_FRAMES)); level++) {
      const width = Math.ceil(nColumns / FACTOR ** level);
      this.widths.push(width);
      this.levels.push(new Uint8Array(width * N_DRAWN_BANDS));
    }
  }

  /** Take over frames of level 1; a column of a coarser level is the loudest of four. */
  write(first: number, frames: Uint8Array): void {
    this.levels[0]!.set(frames, first * N_DRAWN_BANDS);
    let [from, stop] = [first, first + frames.length / N_DRAWN_BANDS];
    for (let place = 1; place < this.levels.length; place++) {
      [from, stop] = [Math.floor(from / FACTOR), Math.min(Math.ceil(stop / FACTOR), this.widths[place]!)];
      for (let column = from; column < stop; column++) this.join(place, column);
    }
  }

  tile({ level, index }: TileAddress): Uint8Array | null {
    const source = this.levels[level - PreviewPyramid.FIRST];
    if (!source) return null;
    const bytes = source.subarray(index * TILE_FRAMES * N_DRAWN_BANDS, (index + 1) * TILE_FRAMES * N_DRAWN_BANDS);
    return bytes.length ? bytes : null;
  }

  private join(place: number, column: number): void {
    const [fine, coarse] = [this.levels[place - 1]!, this.levels[place]!];
    const parts = Math.min(FACTOR, this.widths[place - 1]! - column * FACTOR);
    for (let band = 0; band < N_DRAWN_BANDS; band++) {
      let loudest = 0;
      for (let part = 0; part < parts; part++)
        loudest = Math.max(loudest, fine[(column * FACTOR + part) * N_DRAWN_BANDS + band]!);
      coarse[column * N_DRAWN_BANDS + band] = loudest;
    }
  }
}

/** Lowest and highest of one bin after the other, over all channels, in -1..1. */
export type Bins = Float32Array;

/** The bins of a tile as the server sends them: for each channel the lowest and the highest, as int16. */
export function binsOf(bytes: ArrayBuffer, nChannels: number): Bins {
  const values = new Int16Array(bytes);
  const n = Math.floor(values.length / (2 * nChannels));
  const bins = new Float32Array(2 * n);
  for (let bin = 0; bin < n; bin++) {
    let [low, high] = [32767, -32768];
    for (let channel = 0; channel < nChannels; channel++) {
      low = Math.min(low, values[2 * (bin * nChannels + channel)]!);
      high = Math.max(high, values[2 * (bin * nChannels + channel) + 1]!);
    }
    bins[2 * bin] = low / 32767;
    bins[2 * bin + 1] = high / 32767;
  }
  return bins;
}

/** Bins of samples, where each bin holds `step` samples. */
export function peaksOf(channels: readonly Float32Array[], step: number): Bins {
  const n = Math.ceil((channels[0]?.length ?? 0) / step);
  const peaks = new Float32Array(2 * n);
  for (let index = 0; index < n; index++) {
    let [low, high] = [Infinity, -Infinity];
    for (const channel of channels) {
      const stop = Math.min(channel.length, (index + 1) * step);
      for (let at = index * step; at < stop; at++) {
        const value = channel[at]!;
        if (value < low) low = value;
        if (value > high) high = value;
      }
    }
    peaks[2 * index] = low;
    peaks[2 * index + 1] = high;
  }
  return peaks;
}

/** Four bins to one. */
export function coarser(bins: Bins): Bins {
  const n = Math.ceil(bins.length / 2 / FACTOR);
  const joined = new Float32Array(2 * n);
  for (let index = 0; index < n; index++) {
    let [low, high] = [Infinity, -Infinity];
    for (let bin = index * FACTOR; bin < Math.min(bins.length / 2, (index + 1) * FACTOR); bin++) {
      low = Math.min(low, bins[2 * bin]!);
      high = Math.max(high, bins[2 * bin + 1]!);
    }
    joined[2 * index] = low;
    joined[2 * index + 1] = high;
  }
  return joined;
}
