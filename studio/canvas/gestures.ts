/** From pointers to what they mean: scrolling, zooming, pointing at a region, painting. */

import { type Viewport, scrolled, secondsAt, pixelOf, zoomed } from "../domain/time.ts";
import { type Region, regionOf } from "../domain/transport.ts";

export interface TimeSurface {
  view(): Viewport;
  setView(view: Viewport): void;
  duration(): number;
  region(): Region | null;
  setRegion(region: Region | null): void;
  seek(seconds: number): void;
}

export interface Brush {
  /** Whether the pointer paints; else it points at regions. */
  isOn(): boolean;
  begin(x: number, y: number): void;
  move(places: readonly { x: number; y: number }[]): void;
  end(): void;
  cancel(): void;
  hover(place: { x: number; y: number } | null): void;
}

const CLICK_PIXELS = 4;
const EDGE_PIXELS = 7;

interface Drag {
  readonly pointer: number;
  readonly from: number;
  /** The end of a region that stays where it is while the other one is dragged. */
  readonly anchor: number;
  moved: boolean;
  painting: boolean;
}

/** Listen to the pointers over an element that shows time from left to right; returns how to stop. */
export function watch(element: HTMLElement, surface: TimeSurface, brush: Brush | null): () => void {
  const touches = new Map<number, { x: number; y: number }>();
  let drag: Drag | null = null;
  let pinch: { distance: number; middle: number } | null = null;

  const place = (event: PointerEvent | WheelEvent) => {
    const box = element.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };

  const down = (event: PointerEvent) => {
    if (event.button !== 0) return;
    const at = place(event);
    if (event.pointerType === "touch") touches.set(event.pointerId, at);
    if (touches.size === 2) return beginPinch();
    element.setPointerCapture(event.pointerId);
    const painting = brush?.isOn() ?? false;
    drag = { pointer: event.pointerId, from: at.x, anchor: anchorAt(at.x, event.shiftKey), moved: false, painting };
    if (painting) brush!.begin(at.x, at.y);
    return undefined;
  };

  const anchorAt = (x: number, extend: boolean): number => {
    const [view, region] = [surface.view(), surface.region()];
    if (region) {
      const [left, right] = [pixelOf(view, region.start), pixelOf(view, region.stop)];
      if (Math.abs(x - left) <= EDGE_PIXELS) return region.stop;
      if (Math.abs(x - right) <= EDGE_PIXELS) return region.start;
      if (extend) return x < (left + right) / 2 ? region.stop : region.start;
    }
    return secondsAt(view, x);
  };

  const move = (event: PointerEvent) => {
    const at = place(event);
    if (touches.has(event.pointerId)) touches.set(event.pointerId, at);
    if (pinch) return movePinch();
    if (!drag || drag.pointer !== event.pointerId) {
      brush?.hover(at);
      element.style.cursor = !brush?.isOn() && isEdge(at.x) ? "ew-resize" : "";
      return undefined;
    }
    if (drag.painting) {
      const events = event.getCoalescedEvents?.() ?? [];
      brush!.move((events.length ? events : [event]).map(place));
      return undefined;
    }
    if (Math.abs(at.x - drag.from) >= CLICK_PIXELS) drag.moved = true;
    if (drag.moved) surface.setRegion(regionOf(drag.anchor, secondsAt(surface.view(), at.x), surface.duration()));
    return undefined;
  };

  const up = (event: PointerEvent) => {
    touches.delete(event.pointerId);
    if (pinch && touches.size < 2) pinch = null;
    if (!drag || drag.pointer !== event.pointerId) return;
    if (drag.painting) brush!.end();
    else if (!drag.moved && event.type !== "pointercancel") surface.seek(secondsAt(surface.view(), place(event).x));
    drag = null;
  };

  const isEdge = (x: number): boolean => {
    const [view, region] = [surface.view(), surface.region()];
    return (
      region !== null && [region.start, region.stop].some((edge) => Math.abs(x - pixelOf(view, edge)) <= EDGE_PIXELS)
    );
  };

  const beginPinch = () => {
    if (drag?.painting) brush!.cancel();
    drag = null;
    pinch = spread();
  };

  const spread = () => {
    const [a, b] = [...touches.values()].map((touch) => touch.x) as [number, number];
    return { distance: Math.max(20, Math.abs(a - b)), middle: (a + b) / 2 };
  };

  const movePinch = () => {
    const [before, now] = [pinch!, spread()];
    const view = scrolled(
      surface.view(),
      (before.middle - now.middle) * surface.view().secondsPerPixel,
      surface.duration(),
    );
    surface.setView(zoomed(view, now.distance / before.distance, now.middle, surface.duration()));
    pinch = now;
  };

  const wheel = (event: WheelEvent) => {
    const view = surface.view();
    if (event.ctrlKey || event.metaKey || event.altKey) {
      event.preventDefault();
      surface.setView(
        zoomed(view, Math.exp(-event.deltaY * (event.deltaMode ? 0.1 : 0.004)), place(event).x, surface.duration()),
      );
      return;
    }
    const delta =
      Math.abs(event.deltaX) > Math.abs(event.deltaY) || event.shiftKey
        ? event.deltaX || event.deltaY
        : brush
          ? event.deltaY
          : 0;
    if (!delta) return;
    event.preventDefault();
    surface.setView(scrolled(view, delta * (event.deltaMode ? 16 : 1) * view.secondsPerPixel, surface.duration()));
  };

  const leave = () => brush?.hover(null);
  element.addEventListener("pointerdown", down);
  element.addEventListener("pointermove", move);
  element.addEventListener("pointerup", up);
  element.addEventListener("pointercancel", up);
  element.addEventListener("pointerleave", leave);
  element.addEventListener("wheel", wheel, { passive: false });
  return () => {
    element.removeEventListener("pointerdown", down);
    element.removeEventListener("pointermove", move);
    element.removeEventListener("pointerup", up);
    element.removeEventListener("pointercancel", up);
    element.removeEventListener("pointerleave", leave);
    element.removeEventListener("wheel", wheel);
  };
}
