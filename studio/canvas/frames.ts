/** Drawing once for a frame, however much has changed since the last one. */

import { effect, signal } from "@preact/signals";

/**
 * Draw now, and again at the next frame after anything that was read while drawing has changed.
 *
 * Returns how to stop.
 */
export function drawOnFrames(draw: () => void): () => void {
  const turn = signal(0);
  let isDue = true;
  let frame = 0;
  const stop = effect(() => {
    void turn.value;
    if (isDue) {
      isDue = false;
      draw();
    } else {
      frame ||= requestAnimationFrame(() => {
        frame = 0;
        isDue = true;
        turn.value = turn.peek() + 1;
      });
    }
  });
  return () => {
    stop();
    cancelAnimationFrame(frame);
  };
}
