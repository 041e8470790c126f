/** The time axis: which seconds of a song are on the screen, and where a second lies in pixels. */

export interface Viewport {
  /** First second that is visible. */
  readonly start: number;
  readonly secondsPerPixel: number;
  /** Width of the drawing, in CSS pixels. */
  readonly width: number;
}

export const CLOSEST_SECONDS = 0.001;

export function stopOf(view: Viewport): number {
  return view.start + view.width * view.secondsPerPixel;
}

export function pixelOf(view: Viewport, seconds: number): number {
  return (seconds - view.start) / view.secondsPerPixel;
}

export function secondsAt(view: Viewport, pixel: number): number {
  return view.start + pixel * view.secondsPerPixel;
}

/** The whole song. */
export function fitAll(duration: number, width: number): Viewport {
  const pixels = Math.max(1, width);
  return { start: 0, secondsPerPixel: Math.max(duration, CLOSEST_SECONDS) / pixels, width: pixels };
}

/** From a to b, as wide as the drawing. */
export function fitRange(view: Viewport, start: number, stop: number, duration: number): Viewport {
  const seconds = Math.max(CLOSEST_SECONDS, stop - start);
  return held({ ...view, start, secondsPerPixel: seconds / view.width }, duration);
}

/** Zoom by a factor (above 1: closer) so that the second under a pixel stays where it is. */
export function zoomed(view: Viewport, factor: number, pixel: number, duration: number): Viewport {
  const closest = CLOSEST_SECONDS / view.width;
  const farthest = Math.max(duration, CLOSEST_SECONDS) / view.width;
  const secondsPerPixel = Math.min(farthest, Math.max(closest, view.secondsPerPixel / factor));
  const start = secondsAt(view, pixel) - pixel * secondsPerPixel;
  return held({ ...view, start, secondsPerPixel }, duration);
}

export function scrolled(view: Viewport, seconds: number, duration: number): Viewport {
  return held({ ...view, start: view.start + seconds }, duration);
}

/** Another width of the drawing: the same scale, unless the song would not fill it. */
export function resized(view: Viewport, width: number, duration: number): Viewport {
  const isWhole = view.start === 0 && Math.abs(stopOf(view) - duration) < 1e-6 * Math.max(1, duration);
  return isWhole ? fitAll(duration, width) : held({ ...view, width: Math.max(1, width) }, duration);
}

/** Keep a view inside of the song. */
function held(view: Viewport, duration: number): Viewport {
  const whole = Math.max(duration, CLOSEST_SECONDS);
  const secondsPerPixel = Math.min(view.secondsPerPixel, whole / view.width);
  const last = whole - view.width * secondsPerPixel;
  return { ...view, secondsPerPixel, start: Math.min(Math.max(0, view.start), Math.max(0, last)) };
}

/** Turn the page when the playhead leaves the view, as players do; null where it need not move. */
export function following(view: Viewport, playhead: number, duration: number): Viewport | null {
  const seconds = view.width * view.secondsPerPixel;
  if (playhead >= view.start && playhead < view.start + seconds * 0.95) return null;
  const moved = held({ ...view, start: playhead - seconds * 0.05 }, duration);
  return Math.abs(moved.start - view.start) < view.secondsPerPixel ? null : moved;
}

const STEPS = [
  0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600,
  900, 1800, 3600,
];

export interface Ticks {
  readonly step: number;
  readonly seconds: readonly number[];
}

/** Round times for a ruler, at least so many pixels from each other. */
export function ticksOf(view: Viewport, leastPixels = 90): Ticks {
  const wanted = leastPixels * view.secondsPerPixel;
  const step = STEPS.find((one) => one >= wanted) ?? STEPS[STEPS.length - 1]!;
  const seconds: number[] = [];
  for (let index = Math.ceil(view.start / step); index * step <= stopOf(view); index++) seconds.push(index * step);
  return { step, seconds };
}

/** 75.25 -> "1:15.25"; as many decimals as asked for. */
export function clock(seconds: number, decimals = 0): string {
  const sign = seconds < 0 ? "-" : "";
  const scale = 10 ** decimals;
  const rounded = Math.round(Math.abs(seconds) * scale) / scale;
  const hours = Math.floor(rounded / 3600);
  const minutes = Math.floor((rounded % 3600) / 60);
  const rest = (rounded % 60).toFixed(decimals).padStart(decimals ? 3 + decimals : 2, "0");
  return hours ? `${sign}${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${sign}${minutes}:${rest}`;
}

/** As many decimals as a ruler of this step needs. */
export function decimalsOf(step: number): number {
  return step >= 1 ? 0 : Math.min(4, Math.ceil(-Math.log10(step) - 1e-9));
}

/** "1:02.5", "62.5", "62.5s" -> 62.5; null where it is no time. */
export function readClock(text: string): number | null {
  const trimmed = text.trim();
  if (!/^-?(?:\d+:){0,2}\d+(?:\.\d+)?s?$/.test(trimmed)) return null;
  const sign = trimmed.startsWith("-") ? -1 : 1;
  const parts = trimmed.replace(/^-/, "").replace(/s$/, "").split(":");
  return sign * parts.reduce((total, part) => 60 * total + Number(part), 0);
}
