import assert from "node:assert/strict";
import { test } from "node:test";
import {
  clock,
  fitAll,
  following,
  pixelOf,
  readClock,
  scrolled,
  secondsAt,
  stopOf,
  ticksOf,
  zoomed,
} from "../domain/time.ts";
import { bandOf, bandOfRow, columnOf, framesOf, hertzOfRow, noteName, rowOf, secondsOfColumn } from "../domain/mel.ts";

test("zooming keeps the second under the pointer, from three hours down to a millisecond", () => {
  const hours = 3 * 3600;
  let view = fitAll(hours, 1000);
  const anchor = secondsAt(view, 400);
  for (let step = 0; step < 80; step++) view = zoomed(view, 1.5, 400, hours);
  assert.ok(Math.abs(stopOf(view) - view.start - 0.001) < 1e-9);
  assert.ok(Math.abs(secondsAt(view, 400) - anchor) < 1e-6);
  for (let step = 0; step < 80; step++) view = zoomed(view, 1 / 1.5, 400, hours);
  assert.deepEqual({ start: view.start, stop: Math.round(stopOf(view)) }, { start: 0, stop: hours });
});

test("a view never leaves the song", () => {
  const view = zoomed(fitAll(10, 100), 10, 0, 10);
  assert.equal(scrolled(view, -5, 10).start, 0);
  assert.equal(scrolled(view, 50, 10).start, 9);
});

test("the page turns when the playhead leaves it", () => {
  const view = { start: 0, secondsPerPixel: 0.01, width: 100 };
  assert.equal(following(view, 0.5, 10), null);
  const turned = following(view, 1.2, 10)!;
  assert.ok(pixelOf(turned, 1.2) >= 0 && pixelOf(turned, 1.2) < 10);
});

test("ticks are round and apart", () => {
  const ticks = ticksOf({ start: 1.03, secondsPerPixel: 0.001, width: 1000 });
  assert.equal(ticks.step, 0.1);
  assert.ok(Math.abs(ticks.seconds[0]! - 1.1) < 1e-9);
});

test("clock times are written and read", () => {
  assert.equal(clock(75.25, 2), "1:15.25");
  assert.equal(clock(59.999, 1), "1:00.0");
  assert.equal(clock(3723), "1:02:03");
  assert.equal(readClock("1:02:03"), 3723);
  assert.equal(readClock("-1.5s"), -1.5);
  assert.equal(readClock("soon"), null);
});

test("the grid is that of the product: 0 Hz is row -0.5, 8 kHz row 80.5, a frame 16 ms", () => {
  assert.equal(rowOf(0), -0.5);
  assert.ok(Math.abs(rowOf(8000) - 80.5) < 1e-9);
  assert.ok(Math.abs(hertzOfRow(rowOf(440)) - 440) < 1e-9);
  assert.ok(Math.abs(bandOfRow(rowOf(440)) - bandOf(440)) < 1e-9);
  assert.equal(framesOf(4.08), 256);
  assert.equal(columnOf(0.008), 1);
  assert.equal(secondsOfColumn(63), 1);
  assert.equal(noteName(441), "A4");
});
