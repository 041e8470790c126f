/**
 * A song of hours in the page: from all of it to a millisecond, how long after each key the waveform is there.
 *
 * node e2e/long.mjs URL SONG      (SONG from benchmarks/long_song.py --keep; CHROMIUM: the browser; prints JSON)
 */

import assert from "node:assert/strict";
import { chromium } from "playwright-core";
import { REGION, SPECTROGRAM, session, until } from "./page.mjs";

const PATIENCE = 120000;
const [url, song] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox"],
});
const page = await (await browser.newContext({ viewport: { width: 1280, height: 720 } })).newPage();
page.setDefaultTimeout(PATIENCE);
await page.goto(url);
await page.setInputFiles(".welcome input[type=file]", song);
await page.waitForFunction(() => location.hash.length > 1);
await until("the analysis", async () => (await session(page, url)).files[0]?.state === "ready", 900000);
const { duration } = (await session(page, url)).files[0];
await page.reload(); // nothing that the page read itself is left
await page.locator(REGION).hover();

const CLOSEST = 0.001;
const steps = Math.ceil(Math.log2(duration / CLOSEST)); // each key shows half as much
const waits = [];
/** How long until a frame in which each pixel has its wave, and the first one the click that sounds there. */
const drawn = (canvas, [begun, patience]) =>
  new Promise((done, fail) => {
    const frame = () => {
      const { width, height } = canvas;
      const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
      const rows = Array.from({ length: height }, (_, row) => row);
      const top = (column) => rows.find((row) => data[4 * (row * width + column) + 3] > 0);
      const tops = Array.from({ length: width }, (_, column) => top(column));
      const waited = Date.now() - begun;
      if (tops[0] < 0.3 * height && !tops.includes(undefined)) done(waited);
      else if (waited > patience) fail(new Error(`after ${waited} ms the waveform is not there`));
      else requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  });
const look = async (key) => {
  const begun = Date.now();
  if (key) await page.keyboard.press(key);
  waits.push(await page.locator(REGION).first().evaluate(drawn, [begun, PATIENCE]));
};
/** The second under the right edge, as the page tells it. */
const edge = async () => {
  const box = await page.locator(SPECTROGRAM).boundingBox();
  await page.mouse.move(box.x + box.width - 2, box.y + box.height / 2);
  const [clock] = (await page.locator(".place").textContent()).split(" ");
  return clock.split(":").reduce((total, part) => 60 * total + Number(part), 0);
};
await look();
const farthest = await edge();
assert.ok(farthest > 0.99 * duration, `all of ${duration} s is seen at first, not ${farthest}`);
for (let step = 0; step < steps; step++) await look("+");
assert.ok((await edge()) <= CLOSEST, `the closest zoom reaches to ${await edge()} s`);
await look("0");
assert.ok(!(await page.locator(".problem").count()), "something went wrong");
const memory = await page.evaluate(() => performance.memory?.usedJSHeapSize ?? 0);
await browser.close();
waits.sort((a, b) => a - b);
const report = {
  seconds: duration,
  steps: waits.length,
  drawn_after_ms: { median: waits[Math.floor(waits.length / 2)], most: waits.at(-1) },
  heap_mebibytes: Math.round(memory / 2 ** 20),
};
console.log(JSON.stringify(report, null, 2));
