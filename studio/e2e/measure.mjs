/**
 * How fast the page is, measured by the browser itself: first paint, interaction with a long song, painting at 1080p.
 *
 * node e2e/measure.mjs URL SONG      (CHROMIUM: the browser; prints JSON)
 */

import { chromium } from "playwright-core";

const [url, song] = process.argv.slice(2);
const CATEGORIES = ["devtools.timeline", "disabled-by-default-devtools.timeline.frame"];
const STROKE_SECONDS = 6;

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox"],
});
const page = await (await browser.newContext({ viewport: { width: 1920, height: 1080 } })).newPage();
const found = { browser: browser.version() };

/** Middle and 95th of a hundred. */
const spread = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share) =>
    Math.round(10 * (sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0)) / 10;
  return { n: sorted.length, median: at(0.5), p95: at(0.95), most: at(1) };
};

const paints = [];
for (let visit = 0; visit < 5; visit++) {
  await page.goto(url, { waitUntil: "load" });
  await page.getByText("Drop a song here").waitFor();
  paints.push(await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0].startTime));
}
found.first_paint_ms = spread(paints);

await page.setInputFiles(".welcome input[type=file]", song);
const session = async () => (await page.request.get(`${url}/api/sessions/${new URL(page.url()).hash.slice(1)}`)).json();
const begun = Date.now();
await page.waitForFunction(() => location.hash.length > 1, null, { timeout: 120000 });
while ((await session()).files[0]?.state !== "ready") await page.waitForTimeout(500);
found.song = { seconds: (await session()).files[0].duration, ready_after_s: (Date.now() - begun) / 1000 };
await page.waitForTimeout(1500);

await page.evaluate(() => {
  window.slow = [];
  new PerformanceObserver((list) =>
    list
      .getEntries()
      .forEach((one) => window.slow.push([one.name, one.duration, one.processingEnd - one.processingStart])),
  ).observe({ type: "event", durationThreshold: 16 });
});
const interactions = 60;
await page.locator(".wave").first().hover();
for (let count = 0; count < interactions; count++) {
  const key = ["+", "ArrowRight", "-", "PageDown", "PageUp", "x"][count % 6];
  await page.keyboard.press(key);
  await page.waitForTimeout(60);
}
await page.waitForTimeout(500);
const slow = await page.evaluate(() => window.slow.splice(0));
const keys = slow.filter(([name]) => name === "keydown");
found.keys_ms = {
  ...spread(keys.map((one) => one[1])),
  pressed: interactions,
  own_work: spread(keys.map((one) => one[2])),
};

await page.keyboard.press("0");
for (let count = 0; count < 5; count++) await page.keyboard.press("+");
await page.keyboard.press("b");
const box = await page.locator(".spectrogram .front").boundingBox();
await page.mouse.move(box.x + 50, box.y + box.height * 0.7);
await browser.startTracing(page, { categories: CATEGORIES });
await page.mouse.down();
const start = Date.now();
for (let count = 0; Date.now() - start < STROKE_SECONDS * 1000; count++) {
  const share = (count % 400) / 400;
  await page.mouse.move(
    box.x + 50 + share * (box.width - 100),
    box.y + box.height * (0.7 + 0.15 * Math.sin(count / 9)),
  );
}
await page.mouse.up();
const trace = JSON.parse((await browser.stopTracing()).toString());
const named = (name) => trace.traceEvents.filter((event) => event.name === name);
const drawn = named("DrawFrame")
  .map((event) => event.ts / 1000)
  .sort((a, b) => a - b);
const gaps = drawn.slice(1).map((time, index) => time - drawn[index]);
const pointer = named("EventDispatch").filter((event) => event.args?.data?.type === "pointermove");
// Time on the processor, which other processes do not lengthen.
const own = (events) => spread(events.filter((event) => event.tdur !== undefined).map((event) => event.tdur / 1000));
found.painting = {
  frames_per_second: Math.round((10000 * gaps.length) / (drawn.at(-1) - drawn[0])) / 10,
  between_frames_ms: spread(gaps),
  processor_ms: {
    animation_frame: own(named("FireAnimationFrame")),
    pointer_event: own(pointer),
  },
  pointer_events: pointer.length,
};
await browser.close();
console.log(JSON.stringify(found, null, 2));
