/**
 * Undo and redo without limit in bounded memory.
 *
 * Every command is kept (some hundred bytes each). What was below the latest ones is kept, too, packed, up to a budget;
 * going back farther than that replays the commands from the beginning.
 */

import { BLOCK_COLUMNS, type Columns, type Painting, Work, packed, unpacked } from "./painting.ts";
import type { Command, Stamp } from "./strokes.ts";

interface Done {
  readonly command: Command;
  /** What the touched blocks held before, packed; null once it had to go. */
  before: Map<number, Int16Array> | null;
}

export class PaintHistory {
  private done: Done[] = [];
  private undone: Command[] = [];
  private kept = 0;

  constructor(
    readonly painting: Painting,
    readonly budgetBytes = 32 * 1024 * 1024,
  ) {}

  get canUndo(): boolean {
    return this.done.length > 0;
  }

  get canRedo(): boolean {
    return this.undone.length > 0;
  }

  /** Bytes that are kept to undo fast. */
  get keptBytes(): number {
    return this.kept;
  }

  /** The commands that made the painting, in order. */
  get commands(): readonly Command[] {
    return this.done.map((one) => one.command);
  }

  /** Carry out a command at once. */
  run(command: Command): Columns | null {
    const work = new Work(this.painting, command);
    const changed = work.all();
    this.remember(command, work);
    this.undone = [];
    return changed;
  }

  /** Begin a stroke that grows; its command is complete only when it ends. */
  begin(command: Command): GrowingStroke {
    const work = new Work(this.painting, command);
    return {
      grow: (stamps) => work.apply(stamps),
      end: (complete) => {
        this.remember(complete, work);
        this.undone = [];
      },
    };
  }

  /** Returns the columns that changed; null if there is nothing to undo. */
  undo(): Columns | null {
    const last = this.done.pop();
    if (!last) return null;
    this.undone.push(last.command);
    if (last.before) {
      this.kept -= bytesOf(last.before);
      return this.restore(last.before);
    }
    this.replay();
    return { first: 0, stop: this.painting.nColumns };
  }

  redo(): Columns | null {
    const command = this.undone.pop();
    if (!command) return null;
    const work = new Work(this.painting, command);
    const changed = work.all();
    this.remember(command, work);
    return changed ?? { first: 0, stop: 0 };
  }

  /** Take over the commands of a session that is opened again. */
  load(commands: readonly Command[]): void {
    this.done = commands.map((command) => ({ command, before: null }));
    this.undone = [];
    this.kept = 0;
    this.replay();
  }

  private remember(command: Command, work: Work): void {
    const before = new Map([...work.before()].map(([index, cells]) => [index, packed(cells)]));
    this.done.push({ command, before });
    this.kept += bytesOf(before);
    for (const one of this.done) {
      if (this.kept <= this.budgetBytes) break;
      if (!one.before) continue;
      this.kept -= bytesOf(one.before);
      one.before = null;
    }
  }

  private restore(before: Map<number, Int16Array>): Columns {
    let [first, stop] = [Infinity, 0];
    for (const [index, runs] of before) {
      this.painting.blocks.set(index, unpacked(runs));
      first = Math.min(first, index * BLOCK_COLUMNS);
      stop = Math.max(stop, (index + 1) * BLOCK_COLUMNS);
    }
    return { first: Math.min(first, stop), stop: Math.min(stop, this.painting.nColumns) };
  }

  private replay(): void {
    this.painting.clear();
    for (const { command } of this.done) new Work(this.painting, command).all();
  }
}

export interface GrowingStroke {
  grow(stamps: readonly Stamp[]): Columns | null;
  end(complete: Command): void;
}

function bytesOf(before: Map<number, Int16Array>): number {
  let bytes = 0;
  for (const runs of before.values()) bytes += runs.byteLength + 64;
  return bytes;
}
