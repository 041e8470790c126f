/**
 * Two grids on one mel scale.
 *
 * Masks: 80 rows up to 8 kHz, 62.5 frames a second. Spectrograms are drawn twice as fine and higher: 216 bands, 125
 * frames a second, so that two bands are one row of a mask and two frames one column.
 */

export const N_BANDS = 80;
export const TOP_HZ = 8000;
export const FRAMES_PER_SECOND = 62.5;

export const N_DRAWN_BANDS = 216;
export const DRAWN_PER_SECOND = 125;

export function melOf(hertz: number): number {
  return 2595 * Math.log10(1 + hertz / 700);
}

export function hertzOfMel(mel: number): number {
  return 700 * (10 ** (mel / 2595) - 1);
}

const MELS_PER_ROW = melOf(TOP_HZ) / (N_BANDS + 1);
export const MELS_PER_DRAWN_BAND = MELS_PER_ROW / 2;

/** Row k of a mask reaches from k to k + 1; its center lies between; 0 Hz is row -0.5. */
export function rowOf(hertz: number): number {
  return melOf(hertz) / MELS_PER_ROW - 0.5;
}

export function hertzOfRow(row: number): number {
  return Math.min(TOP_HZ, Math.max(0, hertzOfMel((row + 0.5) * MELS_PER_ROW)));
}

/** Where a frequency lies among the bands that are drawn: band k reaches from k to k + 1. */
export function bandOf(hertz: number): number {
  return melOf(hertz) / MELS_PER_DRAWN_BAND - 0.5;
}

export function hertzOfBand(band: number): number {
  return Math.max(0, hertzOfMel((band + 0.5) * MELS_PER_DRAWN_BAND));
}

/** Rows of masks to bands that are drawn, and back. */
export function bandOfRow(row: number): number {
  return 2 * row + 0.5;
}

export function rowOfBand(band: number): number {
  return (band - 0.5) / 2;
}

/** How many frames a mask of a song has. */
export function framesOf(duration: number): number {
  return Math.floor(duration * FRAMES_PER_SECOND + 1e-6) + 1;
}

/** Seconds to columns of a mask: frame i lies around second i / 62.5 and reaches from column i to i + 1. */
export function columnOf(seconds: number): number {
  return seconds * FRAMES_PER_SECOND + 0.5;
}

export function secondsOfColumn(column: number): number {
  return (column - 0.5) / FRAMES_PER_SECOND;
}

/** A MIDI pitch in hertz; 69 is 440 Hz. */
export function hertzOfPitch(pitch: number): number {
  return 440 * 2 ** ((pitch - 69) / 12);
}

/** 440 -> "440 Hz", 1234 -> "1.23 kHz". */
export function hertzText(hertz: number): string {
  return hertz < 1000 ? `${Math.round(hertz)} Hz` : `${(hertz / 1000).toFixed(2)} kHz`;
}

const NAMES = ["C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B"];

/** 440 -> "A4"; null below the piano. */
export function noteName(hertz: number): string | null {
  if (hertz < 20) return null;
  const pitch = Math.round(69 + 12 * Math.log2(hertz / 440));
  return `${NAMES[((pitch % 12) + 12) % 12]}${Math.floor(pitch / 12) - 1}`;
}
