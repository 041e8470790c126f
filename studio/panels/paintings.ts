/** The paintings of all targets of the song. */

import { PaintLayer } from "../canvas/paint_layer.ts";
import { PaintHistory } from "../domain/history.ts";
import { type KeptCommand, keptText, opened } from "../domain/keeping.ts";
import { framesOf, rowOf, columnOf } from "../domain/mel.ts";
import { type Columns, Painting } from "../domain/painting.ts";
import { type Picture, laidFrom, pictureOf, pngOf } from "../domain/png.ts";
import type { Command } from "../domain/strokes.ts";
import { replaced } from "../domain/request.ts";
import { about, draft, duration, paintVersion, strokes } from "./desk.ts";

export interface Easel {
  readonly history: PaintHistory;
  readonly layer: PaintLayer;
  /** Columns that changed since they were drawn. */
  fresh: Columns | null;
}

const easels = new Map<string, Easel>();
const COLUMNS_OF_MASKS = 32000;

export function easelOf(target: string): Easel {
  let easel = easels.get(target);
  const nColumns = framesOf(duration.value);
  if (!easel || easel.history.painting.nColumns !== nColumns) {
    const painting = new Painting(nColumns);
    easel = { history: new PaintHistory(painting), layer: new PaintLayer(painting), fresh: null };
    easels.set(target, easel);
  }
  return easel;
}

/** Columns of a painting have changed: draw them, and know whether there is paint. */
export function changed(target: string, columns: Columns | null): void {
  const easel = easelOf(target);
  if (columns) {
    easel.layer.touch(columns);
    const { fresh } = easel;
    easel.fresh = fresh
      ? { first: Math.min(fresh.first, columns.first), stop: Math.max(fresh.stop, columns.stop) }
      : columns;
  }
  paintVersion.value++;
}

/** After a stroke is complete. */
export function settled(target: string): void {
  strokes.value++;
  const painted = !easelOf(target).history.painting.isEmpty;
  if (draft.value.targets.some((one) => one.id === target && one.painted !== painted)) {
    draft.value = replaced(draft.value, target, (one) => ({ ...one, painted }));
  }
}

export function paint(target: string, command: Command): void {
  changed(target, easelOf(target).history.run(command));
  settled(target);
}

export function undo(target: string): void {
  changed(target, easelOf(target).history.undo());
  settled(target);
}

export function redo(target: string): void {
  changed(target, easelOf(target).history.redo());
  settled(target);
}

export function clearPaint(target: string): void {
  const { painting } = easelOf(target).history;
  paint(target, { kind: "everything", sign: 0, confidence: 1, softness: 0, nColumns: painting.nColumns });
}

/** A rectangle in seconds and hertz, for those who paint by numbers. */
export function paintRectangle(
  target: string,
  place: { start: number; stop: number; low: number; high: number },
  sign: 1 | -1 | 0,
  confidence: number,
): void {
  paint(target, {
    kind: "rectangle",
    sign,
    confidence,
    softness: 0,
    from: { column: columnOf(place.start), row: rowOf(place.low) },
    to: { column: columnOf(place.stop), row: rowOf(place.high) },
  });
}

export async function maskOf(target: string): Promise<Blob> {
  const columns = about.value?.mask["max_columns"] ?? COLUMNS_OF_MASKS;
  return new Blob([await pngOf(pictureOf(easelOf(target).history.painting, columns))], { type: "image/png" });
}

export function forgetPaintings(): void {
  easels.clear();
}

/** The commands of the paintings of these targets as JSON, to be kept with the song. */
export function paintText(targets: readonly string[]): string {
  const own = targets
    .map((id) => ({ id, commands: easels.get(id)?.history.commands ?? [] }))
    .filter(({ commands }) => commands.length);
  return `{${own.map(({ id, commands }) => `${JSON.stringify(id)}:[${commands.map(keptText).join()}]`).join()}}`;
}

/** Paint what was kept; what has been painted since lies over it. */
export function loadPaint(text: string): void {
  const commands = JSON.parse(text) as Record<string, readonly KeptCommand[]>;
  for (const [id, own] of Object.entries(commands)) {
    const easel = easelOf(id);
    easel.history.load([...own.map(opened), ...easel.history.commands]);
    changed(id, { first: 0, stop: easel.history.painting.nColumns });
  }
  strokes.value++;
}

/** Paint a mask again that was sent as a picture. */
export async function layPicture(target: string, file: ArrayBuffer): Promise<void> {
  const picture = await pixelsOf(file);
  paint(target, laidFrom(picture, easelOf(target).history.painting.nColumns));
}

async function pixelsOf(file: ArrayBuffer): Promise<Picture> {
  const bitmap = await createImageBitmap(new Blob([file]));
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext("2d")!;
  context.drawImage(bitmap, 0, 0);
  const { data } = context.getImageData(0, 0, width, height);
  const pixels = new Uint8Array(3 * width * height);
  for (let place = 0; place < width * height; place++) pixels.set(data.subarray(4 * place, 4 * place + 3), 3 * place);
  return { width, height, pixels };
}
