/** Draws a painting over the spectrogram: only what changed, from small pictures of its blocks. */

import { N_BANDS, N_DRAWN_BANDS, bandOfRow, columnOf, secondsOfColumn } from "../domain/mel.ts";
import { BLOCK_COLUMNS, type Columns, FULL, type Painting } from "../domain/painting.ts";
import { type Viewport, pixelOf, stopOf } from "../domain/time.ts";
import type { Theme } from "./theme.ts";

const OPACITY = 0.62;

export class PaintLayer {
  private readonly pictures = new Map<number, OffscreenCanvas>();
  private stale = new Set<number>();
  private theme: Theme | null = null;

  constructor(private readonly painting: Painting) {}

  /** Columns have changed; returns nothing, but knows what to draw anew. */
  touch(columns: Columns): void {
    const last = Math.ceil(columns.stop / BLOCK_COLUMNS);
    for (let block = Math.floor(columns.first / BLOCK_COLUMNS); block < last; block++) this.stale.add(block);
  }

  /** Draw what lies between two pixels; the rest of the canvas stays as it is. */
  draw(
    context: CanvasRenderingContext2D,
    view: Viewport,
    height: number,
    theme: Theme,
    from = 0,
    to = view.width,
  ): void {
    if (theme !== this.theme) {
      this.pictures.clear();
      this.theme = theme;
    }
    context.save();
    context.beginPath();
    context.rect(from, 0, to - from, height);
    context.clip();
    context.clearRect(from, 0, to - from, height);
    context.imageSmoothingEnabled = true;
    const low = height * (1 - bandOfRow(0) / N_DRAWN_BANDS);
    const high = height * (1 - bandOfRow(N_BANDS) / N_DRAWN_BANDS);
    const first = Math.floor(columnOf(view.start + from * view.secondsPerPixel) / BLOCK_COLUMNS);
    const last = Math.floor(columnOf(Math.min(stopOf(view), view.start + to * view.secondsPerPixel)) / BLOCK_COLUMNS);
    for (const [block, cells] of this.painting.blocks) {
      if (block < first || block > last) continue;
      const x = pixelOf(view, secondsOfColumn(block * BLOCK_COLUMNS));
      const width = BLOCK_COLUMNS / 62.5 / view.secondsPerPixel;
      context.drawImage(this.picture(block, cells, theme), x, high, width, low - high);
    }
    context.restore();
  }

  /** The pixels that some columns lie on, with room for smoothing. */
  static pixelsOf(columns: Columns, view: Viewport): [number, number] {
    const from = pixelOf(view, secondsOfColumn(columns.first - 1));
    const to = pixelOf(view, secondsOfColumn(columns.stop + 1));
    return [Math.max(0, Math.floor(from) - 1), Math.min(view.width, Math.ceil(to) + 1)];
  }

  private picture(block: number, cells: Int16Array, theme: Theme): OffscreenCanvas {
    const known = this.pictures.get(block);
    if (known && !this.stale.has(block)) return known;
    this.stale.delete(block);
    const canvas = known ?? new OffscreenCanvas(BLOCK_COLUMNS, N_BANDS);
    const image = new ImageData(BLOCK_COLUMNS, N_BANDS);
    for (let row = 0; row < N_BANDS; row++) {
      for (let column = 0; column < BLOCK_COLUMNS; column++) {
        const value = cells[row * BLOCK_COLUMNS + column]!;
        if (!value) continue;
        const [red, green, blue] = value > 0 ? theme.positive : theme.negative;
        const place = 4 * ((N_BANDS - 1 - row) * BLOCK_COLUMNS + column);
        image.data[place] = red;
        image.data[place + 1] = green;
        image.data[place + 2] = blue;
        image.data[place + 3] = Math.round(255 * OPACITY * (Math.abs(value) / FULL));
      }
    }
    canvas.getContext("2d")!.putImageData(image, 0, 0);
    this.pictures.set(block, canvas);
    return canvas;
  }
}
