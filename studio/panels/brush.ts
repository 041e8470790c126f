/** The tools that paint, from the pointer to the painting. */

import { bandAt, yOf } from "../canvas/scene.ts";
import type { Brush } from "../canvas/gestures.ts";
import type { GrowingStroke } from "../domain/history.ts";
import { FRAMES_PER_SECOND, N_DRAWN_BANDS, bandOfRow, columnOf, rowOfBand, secondsOfColumn } from "../domain/mel.ts";
import { MOST_HARMONICS, type Point, type Stroke, grown, overtone, overtoneRadius } from "../domain/strokes.ts";
import { pixelOf, secondsAt } from "../domain/time.ts";
import { ensureTarget } from "./actions.ts";
import { brushConfidence, brushSize, brushSoftness, duration, offers, paintSign, tool, view } from "./desk.ts";
import { changed, easelOf, paint, settled, undo } from "./paintings.ts";

const LASSO_PIXELS = 3;
const LEAST_STEP = 0.2; // of a cell of the grid

export class PaintBrush implements Brush {
  private target = "";
  private stroke: { growing: GrowingStroke; template: Stroke; points: Point[] } | null = null;
  private outline: Point[] = [];
  private cursor: { x: number; y: number } | null = null;

  constructor(
    private readonly height: () => number,
    private readonly onDraw: () => void,
  ) {}

  isOn(): boolean {
    return tool.value !== "select" && duration.value > 0 && offers("Mask");
  }

  begin(x: number, y: number): void {
    this.target = ensureTarget();
    const point = this.point(x, y);
    if (tool.value === "rectangle" || tool.value === "lasso") {
      this.outline = [point, point];
      return;
    }
    const template = this.template();
    this.stroke = { growing: easelOf(this.target).history.begin(template), template, points: [point] };
    changed(this.target, this.stroke.growing.grow(grown(template, point, point)));
  }

  move(places: readonly { x: number; y: number }[]): void {
    this.cursor = places[places.length - 1] ?? this.cursor;
    for (const { x, y } of places) {
      const point = this.point(x, y);
      if (this.stroke) this.grow(point);
      else if (tool.value === "rectangle") this.outline = [this.outline[0]!, point];
      else if (this.isFar(point)) this.outline.push(point);
    }
    this.onDraw();
  }

  end(): void {
    if (this.stroke) {
      const { growing, template, points } = this.stroke;
      growing.end({ ...template, points });
      this.stroke = null;
      settled(this.target);
      changed(this.target, null);
    } else if (this.outline.length > 1) {
      const look = { sign: paintSign.value, confidence: brushConfidence.value, softness: brushSoftness.value };
      const [from, to] = [this.outline[0]!, this.outline[this.outline.length - 1]!];
      if (tool.value === "lasso") paint(this.target, { kind: "lasso", points: this.outline, ...look });
      else if (from !== to) paint(this.target, { kind: "rectangle", from, to, ...look });
    }
    this.outline = [];
    this.onDraw();
  }

  cancel(): void {
    this.outline = [];
    if (!this.stroke) return;
    this.end();
    undo(this.target);
  }

  hover(place: { x: number; y: number } | null): void {
    this.cursor = place;
    this.onDraw();
  }

  /** What the tool looks like now, to be drawn. */
  shape() {
    const sign = tool.value === "eraser" ? (0 as const) : paintSign.value;
    const height = this.height();
    const brushes = ["brush", "harmonics", "eraser"].includes(tool.value);
    const circles = brushes && this.cursor ? this.circles(this.cursor, height) : [];
    return { circles, radius: brushSize.value / 2, points: this.corners(), closed: true, sign };
  }

  /** Ellipses: overtones are painted thinner where they lie close together. */
  private circles(cursor: { x: number; y: number }, height: number): { x: number; y: number; tall: number }[] {
    const radius = brushSize.value / 2;
    if (tool.value !== "harmonics") return [{ ...cursor, tall: radius }];
    const point = this.point(cursor.x, cursor.y);
    const rows = ((radius / height) * N_DRAWN_BANDS) / 2;
    const found: { x: number; y: number; tall: number }[] = [];
    for (let number = 1; number <= MOST_HARMONICS; number++) {
      const one = overtone(point, number);
      if (!one) break;
      const tall = (overtoneRadius(rows, point, number) * 2 * height) / N_DRAWN_BANDS;
      found.push({ x: cursor.x, y: yOf(bandOfRow(one.row), height), tall });
    }
    return found;
  }

  private corners(): Point[] {
    const [from, to] = [this.outline[0], this.outline[this.outline.length - 1]];
    if (!from || !to || tool.value === "lasso") return this.outline;
    return [from, { column: to.column, row: from.row }, to, { column: from.column, row: to.row }];
  }

  private grow(point: Point): void {
    const { growing, template, points } = this.stroke!;
    const last = points[points.length - 1]!;
    if (Math.hypot(point.column - last.column, point.row - last.row) < LEAST_STEP) return;
    points.push(point);
    changed(this.target, growing.grow(grown(template, last, point)));
  }

  private isFar(point: Point): boolean {
    const last = this.outline[this.outline.length - 1]!;
    const dx = pixelOf(view.value, secondsOfColumn(point.column)) - pixelOf(view.value, secondsOfColumn(last.column));
    const dy = yOf(bandOfRow(point.row), this.height()) - yOf(bandOfRow(last.row), this.height());
    return Math.hypot(dx, dy) >= LASSO_PIXELS;
  }

  private template(): Stroke {
    const radius = brushSize.value / 2;
    return {
      kind: tool.value === "harmonics" ? "harmonics" : "brush",
      sign: tool.value === "eraser" ? 0 : paintSign.value,
      confidence: brushConfidence.value,
      softness: brushSoftness.value,
      points: [],
      radiusColumns: Math.max(0.6, radius * view.value.secondsPerPixel * FRAMES_PER_SECOND),
      radiusRows: Math.max(0.6, ((radius / this.height()) * N_DRAWN_BANDS) / 2),
    };
  }

  private point(x: number, y: number): Point {
    return { column: columnOf(secondsAt(view.value, x)), row: rowOfBand(bandAt(y, this.height())) };
  }
}
