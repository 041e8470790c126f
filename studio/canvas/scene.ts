/** What is drawn over a spectrogram and a waveform: regions, spans, notes, hums, the brush. */

import { N_DRAWN_BANDS, bandOf, hertzOfBand, hertzOfPitch, hertzText, noteName, TOP_HZ } from "../domain/mel.ts";
import type { Note } from "../domain/midi.ts";
import type { Point } from "../domain/strokes.ts";
import { secondsOfColumn, bandOfRow } from "../domain/mel.ts";
import { type Viewport, clock, decimalsOf, pixelOf, stopOf, ticksOf } from "../domain/time.ts";
import type { Region } from "../domain/transport.ts";
import type { Theme } from "./theme.ts";

export interface Mark {
  readonly start: number;
  readonly stop: number;
  readonly sounds: boolean;
  readonly words: string;
}

export interface Scene {
  readonly view: Viewport;
  readonly theme: Theme;
  readonly region: Region | null;
  readonly marks: readonly Mark[];
  readonly notes: readonly Note[];
  readonly noteOffset: number;
  readonly hum: { start: number; stop: number; words: string } | null;
  /** Shown while a tool paints: what lies above cannot be painted on. */
  readonly painting: boolean;
  readonly duration: number;
}

const MARK_HEIGHT = 7;

export function drawRuler(context: CanvasRenderingContext2D, scene: Scene, height: number): void {
  const { view, theme, region } = scene;
  context.clearRect(0, 0, view.width, height);
  if (region) {
    context.fillStyle = theme.region;
    context.fillRect(pixelOf(view, region.start), 0, (region.stop - region.start) / view.secondsPerPixel, height);
  }
  const ticks = ticksOf(view);
  context.font = "11px system-ui, sans-serif";
  context.textBaseline = "middle";
  context.fillStyle = theme.text;
  context.strokeStyle = theme.axis;
  context.beginPath();
  for (const second of ticks.seconds) {
    const x = Math.round(pixelOf(view, second)) + 0.5;
    context.moveTo(x, 0);
    context.lineTo(x, height);
    const words = clock(second, decimalsOf(ticks.step));
    if (x + 4 + context.measureText(words).width <= view.width) context.fillText(words, x + 4, height / 2 + 1);
  }
  context.stroke();
}

export function drawRegion(context: CanvasRenderingContext2D, scene: Scene, height: number): void {
  const { view, theme, region } = scene;
  if (!region) return;
  const [left, right] = [pixelOf(view, region.start), pixelOf(view, region.stop)];
  context.fillStyle = theme.region;
  context.fillRect(left, 0, right - left, height);
  context.fillStyle = theme.regionEdge;
  context.fillRect(Math.round(left), 0, 1, height);
  context.fillRect(Math.round(right) - 1, 0, 1, height);
}

/** Everything that lies over the spectrogram but the paint. */
export function drawOverlay(context: CanvasRenderingContext2D, scene: Scene, height: number): void {
  context.clearRect(0, 0, scene.view.width, height);
  if (scene.painting) drawCeiling(context, scene, height);
  drawNotes(context, scene, height);
  drawRegion(context, scene, height);
  drawMarks(context, scene, height);
}

function drawCeiling(context: CanvasRenderingContext2D, { view, theme }: Scene, height: number): void {
  const y = yOf(bandOf(TOP_HZ), height);
  context.fillStyle = theme.shade;
  context.fillRect(0, 0, view.width, y);
  context.fillStyle = theme.text;
  context.font = "11px system-ui, sans-serif";
  context.textBaseline = "bottom";
  context.fillText("8 kHz: paint reaches up to here", 8, y - 3);
}

function drawMarks(context: CanvasRenderingContext2D, scene: Scene, height: number): void {
  const { view, theme, marks, hum } = scene;
  context.font = "600 10px system-ui, sans-serif";
  context.textBaseline = "top";
  for (const mark of marks) {
    const [left, width] = [pixelOf(view, mark.start), Math.max(2, (mark.stop - mark.start) / view.secondsPerPixel)];
    const [red, green, blue] = mark.sounds ? theme.positive : theme.negative;
    context.fillStyle = `rgb(${red}, ${green}, ${blue})`;
    context.fillRect(left, height - MARK_HEIGHT, width, MARK_HEIGHT);
    context.fillStyle = `rgba(${red}, ${green}, ${blue}, 0.12)`;
    context.fillRect(left, 0, width, height);
    if (width > 70) label(context, mark.words, left + 4, height - MARK_HEIGHT - 15, theme);
  }
  if (!hum) return;
  const [left, width] = [pixelOf(view, hum.start), Math.max(2, (hum.stop - hum.start) / view.secondsPerPixel)];
  context.fillStyle = theme.noteEdge;
  context.fillRect(left, 0, width, 4);
  label(context, hum.words, Math.max(4, left + 4), 7, theme);
}

function label(context: CanvasRenderingContext2D, words: string, x: number, y: number, theme: Theme): void {
  const width = context.measureText(words).width + 8;
  context.fillStyle = theme.isDark ? "rgba(10, 12, 18, 0.8)" : "rgba(255, 255, 255, 0.85)";
  context.fillRect(x - 4, y - 2, width, 15);
  context.fillStyle = theme.cursor;
  context.fillText(words, x, y);
}

function drawNotes(context: CanvasRenderingContext2D, scene: Scene, height: number): void {
  const { view, theme, notes, noteOffset } = scene;
  context.fillStyle = theme.note;
  context.strokeStyle = theme.noteEdge;
  context.lineWidth = 1;
  for (const note of notes) {
    const start = note.start + noteOffset;
    if (start > stopOf(view) || start + note.duration < view.start) continue;
    const [x, width] = [pixelOf(view, start), Math.max(2, note.duration / view.secondsPerPixel)];
    const [top, bottom] = [
      yOf(bandOf(hertzOfPitch(note.pitch + 0.5)), height),
      yOf(bandOf(hertzOfPitch(note.pitch - 0.5)), height),
    ];
    const tall = Math.max(3, bottom - top);
    context.fillRect(x, (top + bottom - tall) / 2, width, tall);
    context.strokeRect(x + 0.5, (top + bottom - tall) / 2 + 0.5, Math.max(1, width - 1), tall - 1);
  }
}

/** Where a band lies in a drawing of so many pixels; the lowest is below. */
export function yOf(band: number, height: number): number {
  return height * (1 - band / N_DRAWN_BANDS);
}

export function bandAt(y: number, height: number): number {
  return N_DRAWN_BANDS * (1 - y / height);
}

/** The brush, or what of a rectangle or lasso is drawn so far. */
export function drawTool(
  context: CanvasRenderingContext2D,
  scene: Scene,
  height: number,
  tool: {
    circles: readonly { x: number; y: number; tall: number }[];
    radius: number;
    points: readonly Point[];
    closed: boolean;
    sign: 1 | -1 | 0;
  },
): void {
  const { view, theme } = scene;
  const [red, green, blue] = tool.sign > 0 ? theme.positive : tool.sign < 0 ? theme.negative : [160, 160, 160];
  context.lineWidth = 1.5;
  for (const [color, width] of [
    [theme.isDark ? "#000" : "#fff", 3],
    [`rgb(${red}, ${green}, ${blue})`, 1.5],
  ] as const) {
    context.strokeStyle = color;
    context.lineWidth = width;
    context.beginPath();
    for (const { x, y, tall } of tool.circles) {
      context.moveTo(x + tool.radius, y);
      context.ellipse(x, y, tool.radius, tall, 0, 0, 2 * Math.PI);
    }
    tool.points.forEach((point, index) => {
      const [x, y] = [pixelOf(view, secondsOfColumn(point.column)), yOf(bandOfRow(point.row), height)];
      if (index) context.lineTo(x, y);
      else context.moveTo(x, y);
    });
    if (tool.closed) context.closePath();
    context.stroke();
  }
}

const AXIS = [100, 200, 500, 1000, 2000, 4000, 8000, 16000];

/** Frequencies beside the spectrogram. */
export function drawFrequencies(context: CanvasRenderingContext2D, width: number, height: number, theme: Theme): void {
  context.clearRect(0, 0, width, height);
  context.font = "10px system-ui, sans-serif";
  context.textAlign = "right";
  context.textBaseline = "middle";
  context.fillStyle = theme.text;
  let last = -Infinity;
  for (const hertz of [...AXIS].reverse()) {
    const y = yOf(bandOf(hertz), height);
    if (y - last < 12) continue;
    last = y;
    context.fillText(
      hertz < 1000 ? String(hertz) : `${hertz / 1000}k`,
      width - 8,
      Math.max(6, Math.min(height - 6, y)),
    );
    context.fillRect(width - 5, Math.round(y), 5, 1);
  }
}

/** Where the pointer is, in words. */
export function placeWords(seconds: number, y: number, height: number): string {
  const hertz = hertzOfBand(bandAt(y, height));
  const note = noteName(hertz);
  return `${clock(seconds, 3)} · ${hertzText(hertz)}${note ? ` · ${note}` : ""}`;
}
