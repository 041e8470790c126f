/** The mel spectrogram of a song as the page hears it, to be seen while the server still analyzes. */

import { MELS_PER_DRAWN_BAND, N_DRAWN_BANDS, hertzOfMel } from "./mel.ts";

const N_FFT = 2048;

/** A byte b of a spectrogram means b * 96 / 255 - 96 dB below a sine of full scale. */
export const RANGE_DB = 96;

export function byteOfDb(db: number): number {
  return Math.round(Math.min(1, Math.max(0, 1 + db / RANGE_DB)) * 255);
}

/** Bytes `[n frames, 216]` around the frames from `first` to `stop`, of which there are so many in a second. */
export class Spectrum {
  private readonly bank: readonly Band[];
  private readonly window = Float64Array.from(
    { length: N_FFT },
    (_, index) => 0.5 - 0.5 * Math.cos((2 * Math.PI * index) / N_FFT),
  );
  private readonly fft = transform(N_FFT);

  constructor(
    private readonly samples: Float32Array,
    private readonly rate: number,
    private readonly framesPerSecond: number,
  ) {
    this.bank = melBank(rate);
  }

  frames(first: number, stop: number): Uint8Array {
    const bytes = new Uint8Array((stop - first) * N_DRAWN_BANDS);
    const real = new Float64Array(N_FFT);
    const imaginary = new Float64Array(N_FFT);
    for (let frame = first; frame < stop; frame++) {
      const begin = Math.round((frame / this.framesPerSecond) * this.rate) - N_FFT / 2;
      for (let index = 0; index < N_FFT; index++)
        real[index] = (this.samples[begin + index] ?? 0) * this.window[index]!;
      imaginary.fill(0);
      this.fft(real, imaginary);
      this.band(real, imaginary, bytes.subarray((frame - first) * N_DRAWN_BANDS, (frame - first + 1) * N_DRAWN_BANDS));
    }
    return bytes;
  }

  private band(real: Float64Array, imaginary: Float64Array, into: Uint8Array): void {
    this.bank.forEach(({ first, weights }, band) => {
      let power = 0;
      for (let index = 0; index < weights.length; index++) {
        const [re, im] = [real[first + index]!, imaginary[first + index]!];
        power += weights[index]! * (re * re + im * im);
      }
      into[band] = byteOfDb(10 * Math.log10(power / (N_FFT / 4) ** 2 + 1e-12));
    });
  }
}

interface Band {
  readonly first: number;
  readonly weights: Float64Array;
}

/** Triangles from one center to the next but one; a band too narrow for any bin takes the nearest. */
function melBank(rate: number): Band[] {
  const width = rate / N_FFT;
  const top = N_FFT / 2 - 1;
  return Array.from({ length: N_DRAWN_BANDS }, (_, band) => {
    const [low, center, high] = [band, band + 1, band + 2].map((edge) => hertzOfMel(edge * MELS_PER_DRAWN_BAND)) as [
      number,
      number,
      number,
    ];
    const first = Math.ceil(low / width);
    const weights: number[] = [];
    for (let bin = first; bin * width < high && bin <= top; bin++) {
      const hertz = bin * width;
      weights.push(hertz <= center ? (hertz - low) / (center - low) : (high - hertz) / (high - center));
    }
    if (weights.some((weight) => weight > 0.05)) return { first, weights: Float64Array.from(weights) };
    return { first: Math.min(top, Math.round(center / width)), weights: Float64Array.of(1) };
  });
}

type Transform = (real: Float64Array, imaginary: Float64Array) => void;

/** A Fourier transform in place, for a power of two. */
function transform(n: number): Transform {
  const bits = Math.log2(n);
  const reversed = Uint32Array.from({ length: n }, (_, index) => {
    let value = 0;
    for (let bit = 0; bit < bits; bit++) value |= ((index >> bit) & 1) << (bits - 1 - bit);
    return value;
  });
  const cosine = Float64Array.from({ length: n / 2 }, (_, index) => Math.cos((2 * Math.PI * index) / n));
  const sine = Float64Array.from({ length: n / 2 }, (_, index) => -Math.sin((2 * Math.PI * index) / n));
  return (real, imaginary) => {
    for (let index = 0; index < n; index++) {
      const other = reversed[index]!;
      if (other > index) {
        [real[index], real[other]] = [real[other]!, real[index]!];
        [imaginary[index], imaginary[other]] = [imaginary[other]!, imaginary[index]!];
      }
    }
    for (let size = 2; size <= n; size *= 2) {
      const [half, stride] = [size / 2, n / size];
      for (let base = 0; base < n; base += size) {
        for (let index = 0; index < half; index++) {
          const [a, b] = [base + index, base + index + half];
          const [wr, wi] = [cosine[index * stride]!, sine[index * stride]!];
          const re = real[b]! * wr - imaginary[b]! * wi;
          const im = real[b]! * wi + imaginary[b]! * wr;
          real[b] = real[a]! - re;
          imaginary[b] = imaginary[a]! - im;
          real[a] = real[a]! + re;
          imaginary[a] = imaginary[a]! + im;
        }
      }
    }
  };
}
