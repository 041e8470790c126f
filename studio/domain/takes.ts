/** Takes: what was asked for and what came of it, in order; two of them may be compared. */

/** Which take is heard, and with which it is compared. */
export interface Comparison {
  readonly current: string | null;
  readonly other: string | null;
  /** True while the other one is heard. */
  readonly swapped: boolean;
}

export const NOTHING: Comparison = { current: null, other: null, swapped: false };

export function heard(comparison: Comparison): string | null {
  return comparison.swapped ? comparison.other : comparison.current;
}

/** A new take is heard as soon as it is there; what was heard before stays at hand to compare with. */
export function arrived(comparison: Comparison, id: string): Comparison {
  if (comparison.current === id) return comparison;
  return { current: id, other: comparison.current ?? comparison.other, swapped: false };
}

export function chosen(comparison: Comparison, id: string): Comparison {
  if (comparison.current === id) return { ...comparison, swapped: false };
  const other = comparison.other === id ? comparison.current : comparison.other;
  return { current: id, other, swapped: false };
}

export function compared(comparison: Comparison, id: string): Comparison {
  if (id === comparison.current) return comparison;
  return { ...comparison, other: comparison.other === id ? null : id, swapped: false };
}

export function swapped(comparison: Comparison): Comparison {
  return comparison.other === null ? comparison : { ...comparison, swapped: !comparison.swapped };
}

/** Forget a take that was thrown away. */
export function without(comparison: Comparison, id: string): Comparison {
  const other = comparison.other === id ? null : comparison.other;
  if (comparison.current !== id) return { ...comparison, other, swapped: comparison.swapped && other !== null };
  return { current: other, other: null, swapped: false };
}

/** Presence in words, for those who do not see the bar. */
export function presenceWords(presence: number): string {
  const percent = Math.round(presence * 100);
  if (presence >= 0.75) return `heard (${percent} %)`;
  return presence >= 0.35 ? `uncertain (${percent} %)` : `probably not there (${percent} %)`;
}
