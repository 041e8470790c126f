/** Everything by key; where a person types, keys are letters. */

import { fitRange, scrolled, zoomed } from "../domain/time.ts";
import { regionOf } from "../domain/transport.ts";
import { swapped } from "../domain/takes.ts";
import { separate } from "./actions.ts";
import {
  activeTarget,
  brushSize,
  comparison,
  duration,
  helpOpen,
  looping,
  menu,
  mixtureHeard,
  offers,
  paintSign,
  playhead,
  region,
  tool,
  view,
} from "./desk.ts";
import { setLane } from "./Lanes.tsx";
import { toggleRecording } from "./Melody.tsx";
import { redo, undo } from "./paintings.ts";
import { laneState, lanes, seek, togglePlay } from "./playback.ts";
import { exampleFromRegion, markSpan } from "./TargetCard.tsx";
import { TOOLS } from "./Tools.tsx";

export const KEYS: readonly (readonly [string, string])[] = [
  ["Space", "play, pause"],
  ["← →", "move the playhead"],
  ["Shift ← →", "extend the region from the playhead"],
  ["Home, End", "beginning, end"],
  ["+ −", "zoom"],
  ["0", "the whole song"],
  ["Z", "zoom to the region"],
  ["Page Up, Page Down", "scroll"],
  ["I, O", "region begins, ends at the playhead"],
  ["L", "loop the region"],
  ["Esc", "no region, no tool"],
  ["Y, N", "like the region, not like it"],
  ["J, K", "sounds in the region, does not"],
  ["M", "record a hum"],
  ["V B H R G E", "region, brush, harmonics, rectangle, lasso, eraser"],
  ["X", "paint what it is, what it is not"],
  ["[ ]", "size of the brush"],
  ["Ctrl+Z, Ctrl+Shift+Z", "undo, redo paint"],
  ["Enter", "separate the region or what is visible"],
  ["Ctrl+Enter", "separate, then the whole song"],
  ["A", "stems or mixture"],
  ["C", "the other take"],
  ["1–9", "solo a lane"],
  ["Shift 1–9", "mute a lane"],
  ["?", "this list"],
];

function step(): number {
  return view.value.width * view.value.secondsPerPixel * 0.02;
}

function extend(seconds: number): void {
  const one = region.value;
  const anchor = one
    ? Math.abs(one.stop - playhead.value) < Math.abs(one.start - playhead.value)
      ? one.start
      : one.stop
    : playhead.value;
  seek(playhead.value + seconds);
  region.value = regionOf(anchor, playhead.value, duration.value);
}

const CONTROL: Record<string, () => void> = {
  z: () => activeTarget.value && undo(activeTarget.value),
  y: () => activeTarget.value && redo(activeTarget.value),
  Z: () => activeTarget.value && redo(activeTarget.value),
  Enter: () => void separate("both"),
};

const PLAIN: Record<string, () => void> = {
  " ": () => void togglePlay(),
  Home: () => seek(0),
  End: () => seek(duration.value),
  "+": () => zoomAt(2),
  "=": () => zoomAt(2),
  "-": () => zoomAt(0.5),
  "−": () => zoomAt(0.5),
  "0": () => (view.value = fitRange(view.value, 0, duration.value, duration.value)),
  z: () => region.value && (view.value = fitRange(view.value, region.value.start, region.value.stop, duration.value)),
  PageUp: () => (view.value = scrolled(view.value, -step() * 40, duration.value)),
  PageDown: () => (view.value = scrolled(view.value, step() * 40, duration.value)),
  i: () =>
    (region.value = regionOf(
      playhead.value,
      region.value && region.value.stop > playhead.value ? region.value.stop : duration.value,
      duration.value,
    )),
  o: () =>
    (region.value = regionOf(
      region.value && region.value.start < playhead.value ? region.value.start : 0,
      playhead.value,
      duration.value,
    )),
  l: () => (looping.value = region.value !== null && !looping.value),
  y: () => exampleFromRegion("positive"),
  n: () => exampleFromRegion("negative"),
  j: () => markSpan(true),
  k: () => markSpan(false),
  m: () => void toggleRecording(),
  x: () => (paintSign.value = paintSign.value === 1 ? -1 : 1),
  "[": () => (brushSize.value = Math.max(4, brushSize.value - 4)),
  "]": () => (brushSize.value = Math.min(160, brushSize.value + 4)),
  Enter: () => void separate("region"),
  a: () => (mixtureHeard.value = !mixtureHeard.value),
  c: () => (comparison.value = swapped(comparison.value)),
  "?": () => (helpOpen.value = true),
};

function zoomAt(factor: number): void {
  const pixel = (playhead.value - view.value.start) / view.value.secondsPerPixel;
  const isVisible = pixel >= 0 && pixel <= view.value.width;
  view.value = zoomed(view.value, factor, isVisible ? pixel : view.value.width / 2, duration.value);
}

function escape(): void {
  if (helpOpen.value) helpOpen.value = false;
  else if (menu.value) closeMenu();
  else if (tool.value !== "select") tool.value = "select";
  else region.value = null;
}

/** Close the menu, and go back to the button that opened it. */
function closeMenu(): void {
  const opener = document.querySelector<HTMLElement>("[data-menu]:has(.popover) button");
  menu.value = null;
  opener?.focus();
}

function lane(event: KeyboardEvent): boolean {
  const digit = /^Digit([1-9])$/.exec(event.code);
  const one = digit ? lanes.value[Number(digit[1]) - 1] : undefined;
  if (!one) return false;
  const state = laneState(one.name);
  setLane(one.name, event.shiftKey ? { mute: !state.mute } : { solo: !state.solo });
  return true;
}

function arrows(event: KeyboardEvent): boolean {
  if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return false;
  const seconds = event.key === "ArrowLeft" ? -step() : step();
  if (event.shiftKey) extend(seconds);
  else seek(playhead.value + seconds);
  return true;
}

function handle(event: KeyboardEvent): boolean {
  if (event.key === "Escape") return (escape(), true);
  if (event.ctrlKey || event.metaKey) {
    const action = CONTROL[event.shiftKey ? event.key.toUpperCase() : event.key];
    action?.();
    return action !== undefined;
  }
  if (event.altKey || lane(event) || arrows(event)) return !event.altKey;
  const chosen = TOOLS.find((one) => one.key.toLowerCase() === event.key);
  if (chosen && (chosen.tool === "select" || offers("Mask"))) return ((tool.value = chosen.tool), true);
  const action = PLAIN[event.key];
  action?.();
  return action !== undefined;
}

/** Whether keys belong to what has the focus. */
function isTaken(event: KeyboardEvent): boolean {
  const element = event.target as HTMLElement;
  if (/^(INPUT|TEXTAREA|SELECT)$/.test(element.tagName))
    return (element as HTMLInputElement).type !== "range" || /^Arrow|^Home|^End|^Page/.test(event.key);
  const presses = event.key === "Enter" || event.key === " ";
  return presses && /^(BUTTON|A|SUMMARY|LABEL)$/.test(element.tagName);
}

export function listenToKeys(): void {
  window.addEventListener("pointerdown", (event) => {
    if (menu.value && !(event.target as Element).closest("[data-menu]:has(.popover)")) menu.value = null;
  });
  // A button that was clicked with the mouse gives the focus back: the space bar plays. Tab goes on from where it was.
  window.addEventListener("click", (event) => {
    const pressed = (event.target as Element).closest("button, summary, a");
    if (event.detail > 0 && pressed && pressed === document.activeElement) (pressed as HTMLElement).blur();
  });
  window.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || (isTaken(event) && event.key !== "Escape" && !event.ctrlKey && !event.metaKey))
      return;
    const typing =
      /^(INPUT|TEXTAREA)$/.test((event.target as HTMLElement).tagName) &&
      (event.target as HTMLInputElement).type !== "range";
    if (typing && event.key.toLowerCase() === "z") return;
    if (handle(event)) event.preventDefault();
  });
}
