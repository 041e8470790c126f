/** What a person paints with: brush, harmonics, eraser, rectangle, lasso; as plain values that can be replayed. */

import { N_BANDS, hertzOfRow, rowOf, TOP_HZ } from "./mel.ts";

export interface Point {
  /** In columns of the grid. */
  readonly column: number;
  /** In rows of the grid, from low to high. */
  readonly row: number;
}

interface Paint {
  /** 1: the sound; -1: what it is not; 0: nothing (the eraser). */
  readonly sign: 1 | -1 | 0;
  /** 0 to 1: how sure. */
  readonly confidence: number;
  /** 0 to 1: how much of the radius fades out. */
  readonly softness: number;
}

export interface Stroke extends Paint {
  readonly kind: "brush" | "harmonics";
  readonly points: readonly Point[];
  readonly radiusColumns: number;
  readonly radiusRows: number;
}

export interface Rectangle extends Paint {
  readonly kind: "rectangle";
  readonly from: Point;
  readonly to: Point;
}

export interface Lasso extends Paint {
  readonly kind: "lasso";
  readonly points: readonly Point[];
}

export interface Everything extends Paint {
  readonly kind: "everything";
  readonly nColumns: number;
}

/** A whole picture that is laid down: the cells of its blocks, packed. */
export interface Laid extends Paint {
  readonly kind: "picture";
  readonly blocks: readonly (readonly [number, readonly number[]])[];
}

export type Command = Stroke | Rectangle | Lasso | Everything | Laid;

/** A part of a command: where it may paint, and how strongly it paints a place, 0 to 1. */
export interface Stamp {
  readonly left: number;
  readonly right: number;
  readonly low: number;
  readonly high: number;
  strength(column: number, row: number): number;
}

export const MOST_HARMONICS = 24;

export function stampsOf(command: Command): Stamp[] {
  switch (command.kind) {
    case "rectangle":
      return [rectangleStamp(command)];
    case "lasso":
      return command.points.length < 3 ? [] : [lassoStamp(command)];
    case "picture":
      return []; // laid down as it is
    case "everything":
      return [{ left: 0, right: command.nColumns, low: 0, high: N_BANDS, strength: () => 1 }];
    default:
      return command.points.flatMap((point, index) => grown(command, command.points[Math.max(0, index - 1)]!, point));
  }
}

/** What a stroke grew by when the pointer went from one point to the next. */
export function grown(stroke: Stroke, from: Point, to: Point): Stamp[] {
  if (stroke.kind === "brush") return [capsule(stroke, from, to)];
  const stamps: Stamp[] = [];
  for (let number = 1; number <= MOST_HARMONICS; number++) {
    const [first, second] = [overtone(from, number), overtone(to, number)];
    if (!first || !second) break;
    const radiusRows = Math.min(
      overtoneRadius(stroke.radiusRows, from, number),
      overtoneRadius(stroke.radiusRows, to, number),
    );
    stamps.push(capsule({ ...stroke, radiusRows }, first, second));
  }
  return stamps;
}

const LEAST_RADIUS = 0.6; // rows: less might miss the middle of every row

/** High partials lie close together: each is painted so thin that there is room between it and the next. */
export function overtoneRadius(radiusRows: number, point: Point, number: number): number {
  const hertz = hertzOfRow(point.row);
  const room = rowOf(hertz * (number + 1)) - rowOf(hertz * number);
  return Math.max(LEAST_RADIUS, Math.min(radiusRows, 0.35 * room));
}

/** The n-th partial of a tone at a point; null above the grid. */
export function overtone(point: Point, number: number): Point | null {
  const hertz = hertzOfRow(point.row) * number;
  return number > 1 && hertz >= TOP_HZ ? null : { column: point.column, row: rowOf(hertz) };
}

/** All places that are nearer to a line than the radius, which is an ellipse on the grid and a circle on the screen. */
function capsule(stroke: Stroke, from: Point, to: Point): Stamp {
  const { radiusColumns: wide, radiusRows: tall, softness } = stroke;
  const [dx, dy] = [(to.column - from.column) / wide, (to.row - from.row) / tall];
  const length = dx * dx + dy * dy;
  return {
    left: Math.min(from.column, to.column) - wide,
    right: Math.max(from.column, to.column) + wide,
    low: Math.min(from.row, to.row) - tall,
    high: Math.max(from.row, to.row) + tall,
    strength(column, row) {
      const [x, y] = [(column - from.column) / wide, (row - from.row) / tall];
      const along = length > 0 ? Math.min(1, Math.max(0, (x * dx + y * dy) / length)) : 0;
      return faded(Math.hypot(x - along * dx, y - along * dy), softness);
    },
  };
}

/** 1 in the middle, 0 at the edge (a distance of 1); smooth over the soft share between. */
export function faded(distance: number, softness: number): number {
  if (distance >= 1) return 0;
  const inside = 1 - distance;
  if (softness <= 0 || inside >= softness) return 1;
  const share = inside / softness;
  return share * share * (3 - 2 * share);
}

const EDGE = 4; // cells over which a wholly soft rectangle fades

function rectangleStamp(shape: Rectangle): Stamp {
  const left = Math.min(shape.from.column, shape.to.column);
  const right = Math.max(shape.from.column, shape.to.column);
  const low = Math.min(shape.from.row, shape.to.row);
  const high = Math.max(shape.from.row, shape.to.row);
  const edge = EDGE * shape.softness;
  return {
    left,
    right,
    low,
    high,
    strength(column, row) {
      const inside = Math.min(column - left, right - column, row - low, high - row);
      if (inside < 0) return 0;
      return edge > 0 ? Math.min(1, inside / edge) : 1;
    },
  };
}

function lassoStamp(shape: Lasso): Stamp {
  const columns = shape.points.map((point) => point.column);
  const rows = shape.points.map((point) => point.row);
  return {
    left: Math.min(...columns),
    right: Math.max(...columns),
    low: Math.min(...rows),
    high: Math.max(...rows),
    strength: (column, row) => (isInside(shape.points, column, row) ? 1 : 0),
  };
}

/** Whether a place lies inside of a polygon, by how often a line from it to the right crosses the border. */
export function isInside(polygon: readonly Point[], column: number, row: number): boolean {
  let inside = false;
  for (let index = 0, last = polygon.length - 1; index < polygon.length; last = index++) {
    const [a, b] = [polygon[index]!, polygon[last]!];
    if (a.row > row === b.row > row) continue;
    if (column < a.column + ((row - a.row) / (b.row - a.row)) * (b.column - a.column)) inside = !inside;
  }
  return inside;
}
