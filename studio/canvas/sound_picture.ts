/** The waveform and the spectrogram of one sound: tiles as the server computes them, colored here. */

import { type Tile, getTile } from "../api/client.ts";
import { CHUNK_SAMPLES, LOCAL, type Chunks, type SoundShape } from "../audio/chunks.ts";
import { DRAWN_PER_SECOND, N_DRAWN_BANDS } from "../domain/mel.ts";
import {
  type Bins,
  FACTOR,
  PEAK_STEP,
  PreviewPyramid,
  TILE_BINS,
  TILE_FRAMES,
  type TileAddress,
  binsOf,
  levelFor,
  levelsOf,
  tilesOf,
} from "../domain/pyramid.ts";
import { type Viewport, pixelOf, secondsAt, stopOf } from "../domain/time.ts";
import type { Theme } from "./theme.ts";

interface Kept<T> {
  value: T | null;
  isFinal: boolean;
  /** How much of the sound was there when it was asked for. */
  asked: number;
  loading: boolean;
  /** For the order in which tiles are forgotten. */
  used: number;
}

interface ColoredTile {
  readonly bytes: Uint8Array;
  canvas: OffscreenCanvas | null;
  theme: Theme | null;
}

const MOST_TILES = 160;
const RETRY = 600; // milliseconds
const MARGIN_SAMPLES = 16384; // of what is final, so much may not have been drawn yet
let clockOfUse = 0;

export class SoundPicture {
  private readonly peaks = new Map<string, Kept<Bins>>();
  private readonly tiles = new Map<string, Kept<ColoredTile>>();
  private readonly previewTiles = new Map<string, ColoredTile>();
  private preview: { pyramid: PreviewPyramid; peaks: Bins[]; rate: number } | null = null;

  constructor(
    public sound: SoundShape,
    private readonly chunks: Chunks,
    private readonly onArrival: () => void,
    private readonly onError: (error: unknown) => void,
  ) {}

  get duration(): number {
    return this.sound.nSamples / this.sound.rate;
  }

  get hasPreview(): boolean {
    return this.preview !== null;
  }

  /** What the page computed itself is shown wherever the server has nothing yet. */
  setPreview(pyramid: PreviewPyramid, peaks: Bins[], rate: number): void {
    this.preview = { pyramid, peaks, rate };
    this.previewTiles.clear();
  }

  /** The spectrogram of a view into a rectangle; `offset` is the second of the song at which the sound begins. */
  drawSpectrogram(
    context: CanvasRenderingContext2D,
    view: Viewport,
    height: number,
    offset: number,
    theme: Theme,
  ): void {
    const nColumns = Math.ceil(this.duration * DRAWN_PER_SECOND) + 1;
    const nLevels = levelsOf(nColumns, TILE_FRAMES);
    const wanted = levelFor(view.secondsPerPixel * DRAWN_PER_SECOND, nLevels);
    const [first, stop] = [(view.start - offset) * DRAWN_PER_SECOND, (stopOf(view) - offset) * DRAWN_PER_SECOND + 1];
    context.imageSmoothingEnabled = true;
    for (const address of tilesOf(wanted, first, stop, nColumns, TILE_FRAMES)) {
      const whole = this.tile(address);
      if (whole) {
        this.paste(
          context,
          view,
          height,
          offset,
          address,
          this.colored(whole, theme),
          whole.bytes.length / N_DRAWN_BANDS,
          null,
        );
        if (whole.bytes.length === TILE_FRAMES * N_DRAWN_BANDS || this.isOver(address, nColumns, whole)) continue;
      }
      this.drawCoarser(
        context,
        view,
        height,
        offset,
        address,
        nLevels,
        theme,
        whole ? whole.bytes.length / N_DRAWN_BANDS : 0,
      );
    }
  }

  /** Lowest and highest sample for every pixel; null where nothing is known. */
  pixels(view: Viewport, offset: number): Float32Array {
    const found = new Float32Array(2 * Math.ceil(view.width)).fill(NaN);
    const perPixel = view.secondsPerPixel * this.sound.rate;
    if (perPixel < PEAK_STEP) this.fromSamples(found, view, offset, perPixel);
    else this.fromPeaks(found, view, offset, perPixel);
    return found;
  }

  /** Samples between two times of the song, for zooms where each has a pixel of its own; null until they are there. */
  samplesBetween(view: Viewport, offset: number): { first: number; values: Float32Array } | null {
    const first = Math.max(0, Math.floor((view.start - offset) * this.sound.rate) - 1);
    const stop = Math.min(this.sound.nSamples, Math.ceil((stopOf(view) - offset) * this.sound.rate) + 2);
    if (first >= stop) return null;
    const values = new Float32Array(stop - first);
    for (let at = first; at < stop;) {
      const chunk = Math.floor(at / CHUNK_SAMPLES);
      const channels = this.chunks.get(this.sound, chunk);
      if (!channels) return null;
      const until = Math.min(stop, (chunk + 1) * CHUNK_SAMPLES);
      for (let index = at; index < until; index++) {
        let sum = 0;
        for (const channel of channels) sum += channel[index - chunk * CHUNK_SAMPLES] ?? 0;
        values[index - first] = sum / channels.length;
      }
      at = until;
    }
    return { first, values };
  }

  private isOver({ level, index }: TileAddress, nColumns: number, tile: ColoredTile): boolean {
    return (index * TILE_FRAMES + tile.bytes.length / N_DRAWN_BANDS) * FACTOR ** level >= nColumns - FACTOR ** level;
  }

  /** While a tile is not there: the preview, or a part of a coarser one. */
  private drawCoarser(
    context: CanvasRenderingContext2D,
    view: Viewport,
    height: number,
    offset: number,
    address: TileAddress,
    nLevels: number,
    theme: Theme,
    from: number,
  ): void {
    const span = {
      first: (address.index * TILE_FRAMES + from) * FACTOR ** address.level,
      stop: (address.index + 1) * TILE_FRAMES * FACTOR ** address.level,
    };
    for (let level = address.level; level < nLevels; level++) {
      const scale = TILE_FRAMES * FACTOR ** level;
      const other = { level, index: Math.floor(span.first / scale) };
      const tile = (level > address.level ? this.known(other) : null) ?? this.previewed(other);
      if (!tile) continue;
      this.paste(
        context,
        view,
        height,
        offset,
        other,
        this.colored(tile, theme),
        tile.bytes.length / N_DRAWN_BANDS,
        span,
      );
      return;
    }
  }

  /** Draw a tile, or the part of it that lies between two columns of level 0. */
  private paste(
    context: CanvasRenderingContext2D,
    view: Viewport,
    height: number,
    offset: number,
    { level, index }: TileAddress,
    canvas: OffscreenCanvas,
    frames: number,
    span: { first: number; stop: number } | null,
  ): void {
    const scale = FACTOR ** level;
    const base = index * TILE_FRAMES;
    const from = Math.max(0, span ? span.first / scale - base : 0);
    const until = Math.min(frames, span ? span.stop / scale - base : frames);
    if (from >= until) return;
    const x = pixelOf(view, ((base + from) * scale - 0.5) / DRAWN_PER_SECOND + offset);
    const right = pixelOf(view, ((base + until) * scale - 0.5) / DRAWN_PER_SECOND + offset);
    context.drawImage(canvas, from, 0, until - from, N_DRAWN_BANDS, x, 0, right - x + 0.5, height);
  }

  private colored(tile: ColoredTile, theme: Theme): OffscreenCanvas {
    if (tile.canvas && tile.theme === theme) return tile.canvas;
    const frames = tile.bytes.length / N_DRAWN_BANDS;
    const canvas = tile.canvas ?? new OffscreenCanvas(frames, N_DRAWN_BANDS);
    const image = new ImageData(frames, N_DRAWN_BANDS);
    const pixels = new Uint32Array(image.data.buffer);
    for (let frame = 0; frame < frames; frame++) {
      for (let band = 0; band < N_DRAWN_BANDS; band++) {
        pixels[(N_DRAWN_BANDS - 1 - band) * frames + frame] = theme.map[tile.bytes[frame * N_DRAWN_BANDS + band]!]!;
      }
    }
    canvas.getContext("2d")!.putImageData(image, 0, 0);
    tile.canvas = canvas;
    tile.theme = theme;
    return canvas;
  }

  private tile(address: TileAddress): ColoredTile | null {
    return this.fetched(this.tiles, address, "spectrogram", (tile) => ({
      bytes: new Uint8Array(tile.bytes),
      canvas: null,
      theme: null,
    }));
  }

  private known({ level, index }: TileAddress): ColoredTile | null {
    return this.tiles.get(`${level}/${index}`)?.value ?? null;
  }

  private previewed(address: TileAddress): ColoredTile | null {
    const bytes = this.preview?.pyramid.tile(address);
    if (!bytes) return null;
    const key = `${address.level}/${address.index}`;
    let tile = this.previewTiles.get(key);
    if (!tile || tile.bytes.length !== bytes.length)
      this.previewTiles.set(key, (tile = { bytes, canvas: null, theme: null }));
    return tile;
  }

  /** Frames of the preview have come: color them anew. */
  refreshPreview(): void {
    for (const tile of this.previewTiles.values()) tile.theme = null;
  }

  private fetched<T>(
    kept: Map<string, Kept<T>>,
    { level, index }: TileAddress,
    what: "peaks" | "spectrogram",
    read: (tile: Tile) => T,
  ): T | null {
    const key = `${level}/${index}`;
    const one = kept.get(key) ?? { value: null, isFinal: false, asked: -1, loading: false, used: 0 };
    kept.set(key, one);
    one.used = ++clockOfUse;
    const first =
      index *
      FACTOR ** level *
      (what === "peaks" ? TILE_BINS * PEAK_STEP : (TILE_FRAMES / DRAWN_PER_SECOND) * this.sound.rate);
    const { nSamples, finalSamples } = this.sound;
    const isThere = finalSamples >= nSamples ? first < nSamples : finalSamples > first + MARGIN_SAMPLES;
    const isDue = isThere && this.sound.id !== LOCAL && !one.isFinal && !one.loading && one.asked < finalSamples;
    if (isDue) {
      one.loading = true;
      one.asked = this.sound.finalSamples;
      getTile(this.sound.id, what, level, index)
        .then((tile) => {
          if (tile) [one.value, one.isFinal] = [read(tile), tile.isFinal];
          if (tile) this.onArrival();
          if (!one.isFinal && finalSamples >= nSamples) this.again(one);
        }, this.onError)
        .finally(() => (one.loading = false));
      this.forget(kept);
    }
    return one.value;
  }

  /** All samples are there, and the picture of them is a moment behind. */
  private again(one: Kept<unknown>): void {
    window.setTimeout(() => {
      one.asked = -1;
      this.onArrival();
    }, RETRY);
  }

  private forget<T>(kept: Map<string, Kept<T>>): void {
    if (kept.size <= MOST_TILES) return;
    const oldest = [...kept].sort((a, b) => a[1].used - b[1].used).slice(0, kept.size - MOST_TILES);
    for (const [key] of oldest) kept.delete(key);
  }

  private fromPeaks(found: Float32Array, view: Viewport, offset: number, perPixel: number): void {
    const nBins = Math.ceil(this.sound.nSamples / PEAK_STEP);
    const level = levelFor(perPixel / PEAK_STEP, levelsOf(nBins, TILE_BINS));
    const step = PEAK_STEP * FACTOR ** level;
    for (let pixel = 0; pixel < found.length / 2; pixel++) {
      const from = Math.floor(((secondsAt(view, pixel) - offset) * this.sound.rate) / step);
      const stop = Math.max(from + 1, Math.ceil(((secondsAt(view, pixel + 1) - offset) * this.sound.rate) / step));
      for (let bin = Math.max(0, from); bin < Math.min(stop, Math.ceil(nBins / FACTOR ** level)); bin++)
        this.join(found, pixel, level, bin);
    }
  }

  private join(found: Float32Array, pixel: number, level: number, bin: number): void {
    const tile = this.fetched(this.peaks, { level, index: Math.floor(bin / TILE_BINS) }, "peaks", (one) =>
      binsOf(one.bytes, this.sound.nChannels),
    );
    let place = 2 * (bin % TILE_BINS);
    let bins: Bins | undefined = tile && place < tile.length ? tile : undefined;
    if (!bins && this.preview) {
      [bins, place] = [this.preview.peaks[level], 2 * Math.round((bin * this.preview.rate) / this.sound.rate)];
    }
    if (!bins || place >= bins.length) return;
    const [low, high] = [found[2 * pixel]!, found[2 * pixel + 1]!];
    found[2 * pixel] = Number.isNaN(low) ? bins[place]! : Math.min(low, bins[place]!);
    found[2 * pixel + 1] = Number.isNaN(high) ? bins[place + 1]! : Math.max(high, bins[place + 1]!);
  }

  private fromSamples(found: Float32Array, view: Viewport, offset: number, perPixel: number): void {
    const samples = this.samplesBetween(view, offset);
    if (!samples) return this.fromPeaks(found, view, offset, PEAK_STEP);
    for (let pixel = 0; pixel < found.length / 2; pixel++) {
      const from = Math.floor((secondsAt(view, pixel) - offset) * this.sound.rate) - samples.first;
      const stop = Math.max(from + 2, Math.ceil(from + perPixel + 1));
      for (let at = Math.max(0, from); at < Math.min(stop, samples.values.length); at++) {
        const value = samples.values[at]!;
        const [low, high] = [found[2 * pixel]!, found[2 * pixel + 1]!];
        found[2 * pixel] = Number.isNaN(low) ? value : Math.min(low, value);
        found[2 * pixel + 1] = Number.isNaN(high) ? value : Math.max(high, value);
      }
    }
    return undefined;
  }
}

/** Draw lowest and highest samples as a filled wave around the middle. */
export function drawWave(context: CanvasRenderingContext2D, pixels: Float32Array, height: number, color: string): void {
  const middle = height / 2;
  const reach = middle - 1;
  context.fillStyle = color;
  context.beginPath();
  for (let pixel = 0; pixel < pixels.length / 2; pixel++) {
    const [low, high] = [pixels[2 * pixel]!, pixels[2 * pixel + 1]!];
    if (Number.isNaN(low)) continue;
    const top = middle - Math.min(1, high) * reach;
    const bottom = middle - Math.max(-1, low) * reach;
    context.rect(pixel, top, 1, Math.max(1, bottom - top));
  }
  context.fill();
}
