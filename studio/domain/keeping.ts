/** Painting commands in few letters, so that hours of painting fit into what a session keeps of a page. */

import type { Command, Point } from "./strokes.ts";

/** Points are kept to a twentieth of a cell, as steps from one to the next. */
const STEPS = 20;

/** A command whose points are numbers one after the other. */
export type KeptCommand = Omit<Command, "points"> & { readonly steps?: readonly number[] };

export function kept(command: Command): KeptCommand {
  const short = JSON.parse(
    JSON.stringify(command, (_, value: unknown) =>
      typeof value === "number" ? Math.round(value * 1000) / 1000 : value,
    ),
  ) as Command;
  if (!("points" in short)) return short;
  const { points, ...rest } = short;
  let last = [0, 0];
  const steps = points.flatMap((point) => {
    const now = [Math.round(point.column * STEPS), Math.round(point.row * STEPS)];
    const step = [now[0]! - last[0]!, now[1]! - last[1]!];
    last = now;
    return step;
  });
  return { ...rest, steps };
}

const texts = new WeakMap<Command, string>();

/** A command as JSON; hours of paint are written down again and again, and most of it has not changed. */
export function keptText(command: Command): string {
  let text = texts.get(command);
  if (text === undefined) texts.set(command, (text = JSON.stringify(kept(command))));
  return text;
}

export function opened(short: KeptCommand): Command {
  if (!short.steps) return short as Command;
  const { steps, ...rest } = short;
  const points: Point[] = [];
  let [column, row] = [0, 0];
  for (let index = 0; index + 1 < steps.length; index += 2) {
    column += steps[index]!;
    row += steps[index + 1]!;
    points.push({ column: column / STEPS, row: row / STEPS });
  }
  return { ...rest, points } as Command;
}
