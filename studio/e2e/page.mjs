/** Things that steps do with the page. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { basename } from "node:path";

/** Drop files on an element, as from a file manager. */
export async function drop(page, selector, paths) {
  const given = paths.map((path) => ({ name: basename(path), bytes: readFileSync(path).toString("base64") }));
  const transfer = await page.evaluateHandle((all) => {
    const data = new DataTransfer();
    for (const { name, bytes } of all)
      data.items.add(new File([Uint8Array.from(atob(bytes), (letter) => letter.charCodeAt(0))], name));
    return data;
  }, given);
  for (const type of ["dragenter", "dragover", "drop"])
    await page.dispatchEvent(selector, type, { dataTransfer: transfer });
}

/** Drag over an element, from and to shares of its size. */
export async function drag(page, selector, places, { steps = 8, modifiers = [] } = {}) {
  const box = await page.locator(selector).first().boundingBox();
  const at = ([x, y]) => [box.x + x * box.width, box.y + y * box.height];
  for (const key of modifiers) await page.keyboard.down(key);
  await page.mouse.move(...at(places[0]));
  await page.mouse.down();
  for (const place of places.slice(1)) await page.mouse.move(...at(place), { steps });
  await page.mouse.up();
  for (const key of modifiers) await page.keyboard.up(key);
}

/** How many pixels of a canvas are of another color than its first one. */
export function painted(page, selector) {
  return page
    .locator(selector)
    .first()
    .evaluate((canvas) => {
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      const pixels = new Uint32Array(data.buffer);
      return pixels.reduce((count, pixel) => count + (pixel !== pixels[0] ? 1 : 0), 0);
    });
}

export async function until(words, test, patience = 300000) {
  const end = Date.now() + patience;
  let last;
  while (Date.now() < end) {
    last = await test();
    if (last) return last;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return assert.fail(`${words}: waited ${patience / 1000} s`);
}

/** What lies at an address; asked again where the server closed an idle connection just as it was used. */
export function get(page, address) {
  return page.request.get(address, { maxRetries: 3 });
}

export async function session(page, url) {
  const id = new URL(page.url()).hash.slice(1);
  return (await get(page, `${url}/api/sessions/${id}`)).json();
}

/** Do what begins a take, and return that take once none of its jobs is under way. */
export async function taken(page, url, action, patience = 900000) {
  const before = (await session(page, url)).takes.map((one) => one.id);
  await action();
  return until(
    "the take is done",
    async () => {
      const take = (await session(page, url)).takes.find((one) => !before.includes(one.id));
      const failed = take?.jobs.find((job) => job.state === "failed");
      assert.ok(!failed, failed?.error);
      const complaint = page.locator(".separate .problem");
      assert.ok(!(await complaint.count()), await complaint.allTextContents().then((texts) => texts.join()));
      return take?.jobs.length && take.jobs.every((job) => job.state !== "waiting" && job.state !== "running") && take;
    },
    patience,
  );
}

export const REGION = ".wave:not(.lane)";
export const SPECTROGRAM = ".spectrogram .front";
