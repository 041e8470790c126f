/**
 * A painting on the mel grid: what the sound is (above zero) and what it is not (below), -255 to 255 for each cell.
 *
 * Cells are kept in blocks of 80 rows and 64 columns that are made when they are painted on, so that a song of hours
 * costs no more than its paint.
 */

import { N_BANDS } from "./mel.ts";
import { type Command, type Laid, type Stamp, stampsOf } from "./strokes.ts";

export const BLOCK_COLUMNS = 64;
export const BLOCK_CELLS = N_BANDS * BLOCK_COLUMNS;
export const FULL = 255;

export interface Columns {
  readonly first: number;
  /** Behind the last. */
  readonly stop: number;
}

export class Painting {
  readonly blocks = new Map<number, Int16Array>();

  constructor(readonly nColumns: number) {}

  /** -1 to 1: above zero the sound, below zero what it is not. */
  at(column: number, row: number): number {
    const block = this.blocks.get(Math.floor(column / BLOCK_COLUMNS));
    return block ? block[row * BLOCK_COLUMNS + (column % BLOCK_COLUMNS)]! / FULL : 0;
  }

  get isEmpty(): boolean {
    for (const block of this.blocks.values()) if (block.some((value) => value !== 0)) return false;
    return true;
  }

  clear(): void {
    this.blocks.clear();
  }

  block(index: number): Int16Array {
    let block = this.blocks.get(index);
    if (!block) this.blocks.set(index, (block = new Int16Array(BLOCK_CELLS)));
    return block;
  }

  /** Share of the cells that are painted, on each side. */
  share(): { positive: number; negative: number } {
    let positive = 0;
    let negative = 0;
    for (const block of this.blocks.values()) {
      for (const value of block) {
        if (value > 0) positive++;
        else if (value < 0) negative++;
      }
    }
    const cells = Math.max(1, N_BANDS * this.nColumns);
    return { positive: positive / cells, negative: negative / cells };
  }
}

interface Touched {
  readonly before: Int16Array;
  readonly strength: Uint8Array;
}

/** A command that is being carried out; a stroke grows with the pointer and blends with what was there before it. */
export class Work {
  private readonly touched = new Map<number, Touched>();

  constructor(
    private readonly painting: Painting,
    private readonly command: Command,
  ) {}

  /** Carry out the whole command. */
  all(): Columns | null {
    return this.command.kind === "picture" ? this.lay(this.command.blocks) : this.apply(stampsOf(this.command));
  }

  private lay(blocks: Laid["blocks"]): Columns | null {
    for (const [index, runs] of blocks) {
      this.touch(index);
      this.painting.blocks.set(index, unpacked(Int16Array.from(runs)));
    }
    return blocks.length ? { first: 0, stop: this.painting.nColumns } : null;
  }

  /** Carry out what a stroke grew by; returns the columns that changed. */
  apply(stamps: readonly Stamp[]): Columns | null {
    let first = Infinity;
    let stop = -Infinity;
    for (const stamp of stamps) {
      const from = Math.max(0, Math.floor(stamp.left));
      const until = Math.min(this.painting.nColumns, Math.ceil(stamp.right));
      if (from >= until) continue;
      this.stamp(stamp, from, until);
      first = Math.min(first, from);
      stop = Math.max(stop, until);
    }
    return first < stop ? { first, stop } : null;
  }

  /** What the touched blocks held before, by their number. */
  before(): Map<number, Int16Array> {
    return new Map([...this.touched].map(([index, { before }]) => [index, before]));
  }

  private stamp(stamp: Stamp, from: number, until: number): void {
    const low = Math.max(0, Math.floor(stamp.low));
    const high = Math.min(N_BANDS, Math.ceil(stamp.high));
    for (let index = Math.floor(from / BLOCK_COLUMNS); index * BLOCK_COLUMNS < until; index++) {
      const base = index * BLOCK_COLUMNS;
      const touched = this.touch(index);
      const block = this.painting.block(index);
      const [first, stop] = [Math.max(from, base), Math.min(until, base + BLOCK_COLUMNS)];
      for (let row = low; row < high; row++) {
        for (let column = first; column < stop; column++) {
          const strength = Math.round(stamp.strength(column + 0.5, row + 0.5) * FULL);
          const cell = row * BLOCK_COLUMNS + column - base;
          if (strength <= touched.strength[cell]!) continue;
          touched.strength[cell] = strength;
          block[cell] = this.blend(touched.before[cell]!, strength);
        }
      }
    }
  }

  private blend(before: number, strength: number): number {
    const paint = this.command.sign * this.command.confidence * FULL;
    return Math.round(before + (paint - before) * (strength / FULL));
  }

  private touch(index: number): Touched {
    let touched = this.touched.get(index);
    if (!touched) {
      touched = { before: this.painting.block(index).slice(), strength: new Uint8Array(BLOCK_CELLS) };
      this.touched.set(index, touched);
    }
    return touched;
  }
}

/** Cells as runs: value, length, value, length… */
export function packed(cells: Int16Array): Int16Array {
  const runs: number[] = [];
  for (let index = 0; index < cells.length;) {
    const value = cells[index]!;
    let stop = index + 1;
    while (stop < cells.length && cells[stop] === value) stop++;
    runs.push(value, stop - index);
    index = stop;
  }
  return Int16Array.from(runs);
}

export function unpacked(runs: Int16Array): Int16Array {
  const cells = new Int16Array(BLOCK_CELLS);
  let index = 0;
  for (let run = 0; run < runs.length; run += 2) {
    cells.fill(runs[run]!, index, index + runs[run + 1]!);
    index += runs[run + 1]!;
  }
  return cells;
}
