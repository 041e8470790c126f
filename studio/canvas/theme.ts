/** Colors of what is drawn; the page around it takes the same ones from style.css. */

export interface Theme {
  readonly isDark: boolean;
  readonly background: string;
  readonly wave: string;
  readonly waveMuted: string;
  readonly axis: string;
  readonly text: string;
  readonly region: string;
  readonly regionEdge: string;
  readonly positive: readonly [number, number, number];
  readonly negative: readonly [number, number, number];
  readonly note: string;
  readonly noteEdge: string;
  readonly cursor: string;
  readonly shade: string;
  /** 256 colors of the spectrogram, red, green, blue, alpha from the lowest byte. */
  readonly map: Uint32Array;
}

type Stop = readonly [number, number, number, number];

const DARK_STOPS: readonly Stop[] = [
  [0, 10, 12, 18],
  [0.3, 21, 27, 48],
  [0.5, 46, 46, 104],
  [0.66, 104, 52, 138],
  [0.8, 190, 72, 122],
  [0.92, 243, 145, 92],
  [1, 254, 232, 180],
];
const LIGHT_STOPS: readonly Stop[] = [
  [0, 252, 252, 250],
  [0.3, 240, 240, 240],
  [0.5, 206, 216, 228],
  [0.66, 142, 166, 208],
  [0.8, 84, 98, 178],
  [0.92, 62, 36, 124],
  [1, 24, 8, 52],
];

function ramp(stops: readonly Stop[]): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, byte) => {
    const place = byte / 255;
    const after = Math.max(
      1,
      stops.findIndex((stop) => stop[0] >= place),
    );
    const [a, b] = [stops[after - 1]!, stops[after]!];
    const share = (place - a[0]) / (b[0] - a[0]);
    const [red, green, blue] = [1, 2, 3].map((index) => Math.round(a[index]! + share * (b[index]! - a[index]!))) as [
      number,
      number,
      number,
    ];
    return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
  });
}

export const DARK: Theme = {
  isDark: true,
  background: "#0a0c12",
  wave: "#8fb3ff",
  waveMuted: "#4a5570",
  axis: "#2a3040",
  text: "#aab3c5",
  region: "rgba(255, 255, 255, 0.10)",
  regionEdge: "#e8ecf4",
  positive: [64, 224, 128],
  negative: [255, 88, 88],
  note: "rgba(120, 220, 255, 0.35)",
  noteEdge: "#8fe0ff",
  cursor: "#ffffff",
  shade: "rgba(0, 0, 0, 0.45)",
  map: ramp(DARK_STOPS),
};

export const LIGHT: Theme = {
  isDark: false,
  background: "#fcfcfa",
  wave: "#2f56b8",
  waveMuted: "#a9b2c4",
  axis: "#d8dbe2",
  text: "#4d5668",
  region: "rgba(20, 30, 60, 0.10)",
  regionEdge: "#1b2233",
  positive: [0, 158, 72],
  negative: [214, 32, 40],
  note: "rgba(0, 120, 170, 0.28)",
  noteEdge: "#00658f",
  cursor: "#000000",
  shade: "rgba(255, 255, 255, 0.6)",
  map: ramp(LIGHT_STOPS),
};

/** A canvas as sharp as the screen, in CSS pixels; returns its context, scaled. */
export function sized(canvas: HTMLCanvasElement, width: number, height: number): CanvasRenderingContext2D {
  const scale = Math.min(2, window.devicePixelRatio || 1);
  const [wide, high] = [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
  if (canvas.width !== wide || canvas.height !== high) {
    canvas.width = wide;
    canvas.height = high;
  }
  const context = canvas.getContext("2d")!;
  context.setTransform(scale, 0, 0, scale, 0, 0);
  return context;
}
