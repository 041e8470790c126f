/** Hums: where a recording belongs in the song, once the ways in and out of the machine have been taken off. */

export interface Latency {
  /** Seconds from the audio clock to the ear. */
  readonly output: number;
  /** Seconds from the microphone to the worklet. */
  readonly input: number;
  /** What the person sets on top, in seconds; positive where the hum came too late. */
  readonly manual: number;
}

export const USUAL_INPUT_LATENCY = 0.01;

/**
 * Where a hum begins in the song.
 *
 * A sound that is heard at second s of the song left the clock `output` earlier; what is hummed to it arrives `input`
 * later. So what was recorded when the clock stood at `position` belongs that much before it.
 */
export function hummedAt(position: number, latency: Latency): number {
  return position - latency.output - latency.input - latency.manual;
}

/** Times on the audio clock of the clicks of a count-in, and when the song begins. */
export function countIn(now: number, beats: number, perMinute: number): { clicks: number[]; start: number } {
  const beat = 60 / perMinute;
  const clicks = Array.from({ length: beats }, (_, index) => now + index * beat);
  return { clicks, start: now + beats * beat };
}

/** Samples in -1..1 as a WAV file of 16 bits, one channel. */
export function wavOf(samples: Float32Array, rate: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(44 + samples.length * 2);
  const view = new DataView(bytes.buffer);
  const words = (at: number, text: string) =>
    [...text].forEach((letter, index) => (bytes[at + index] = letter.charCodeAt(0)));
  words(0, "RIFF");
  view.setUint32(4, 36 + samples.length * 2, true);
  words(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, rate * 2, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  words(36, "data");
  view.setUint32(40, samples.length * 2, true);
  samples.forEach((value, index) =>
    view.setInt16(44 + index * 2, Math.round(Math.max(-1, Math.min(1, value)) * 32767), true),
  );
  return bytes;
}

/** The loudest sample, in dB of full scale; -Infinity for silence. */
export function peakDb(samples: Float32Array): number {
  let peak = 0;
  for (const value of samples) peak = Math.max(peak, Math.abs(value));
  return 20 * Math.log10(peak);
}
