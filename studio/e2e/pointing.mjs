/** Steps 1 and 2: a song is dropped, and sounds are pointed at. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { REGION, SPECTROGRAM, drag, drop, get, taken, painted, session, until } from "./page.mjs";

const button = (page, name) => page.getByRole("button", { name, exact: true });
const clock = async (page) => {
  const text = await page.locator(".clock").textContent();
  return text.split(":").reduce((total, part) => 60 * total + Number(part), 0);
};

async function dropSong({ page, url, files, shot }) {
  await page.goto(url);
  await page.getByText("Drop a song here").waitFor();
  await shot("welcome-dark");
  await drop(page, ".desk", [join(files, "song.flac")]);
  await until("a waveform before the server has the song", async () => (await painted(page, REGION)) > 500);
  await until("the spectrogram", async () => (await painted(page, ".spectrogram canvas")) > 5000);
  await until("the server's analysis", async () => (await session(page, url)).files[0]?.state === "ready");
  await page.waitForTimeout(300);
  await shot("song-dark");
}

async function zoomAndPlay({ page, shot }) {
  const span = () => page.evaluate(() => document.querySelector(".ruler").getBoundingClientRect().width);
  assert.ok((await span()) > 700);
  await page.locator(REGION).hover();
  for (let turn = 0; turn < 14; turn++) await page.keyboard.press("+");
  await until("samples at the closest zoom", async () => (await painted(page, REGION)) > 300);
  await shot("one-millisecond");
  await page.keyboard.press("0");
  await drag(page, REGION, [
    [0.3, 0.5],
    [0.45, 0.5],
  ]);
  await page.getByText("(1.05 s)").or(page.locator(".region-words")).first().waitFor();
  await page.keyboard.press("l");
  await page.keyboard.press("Space");
  const seen = [];
  for (let look = 0; look < 12; look++) {
    await page.waitForTimeout(150);
    seen.push(await clock(page));
  }
  await page.keyboard.press("Space");
  const [least, most] = [Math.min(...seen), Math.max(...seen)];
  assert.ok(most > least, `the playhead stood still at ${least}`);
  assert.ok(least >= 2 && most <= 3.3, `the loop was left: ${seen}`);
  assert.ok(
    seen.some((one, index) => index && one < seen[index - 1]),
    `the loop did not turn: ${seen}`,
  );
  await page.keyboard.press("l");
}

async function sampleLock({ page }) {
  // Every stretch of sound that was started begins at a sample of the clock, and where the one before ended.
  await page.evaluate(() => {
    const log = (window.started = []);
    const start = AudioBufferSourceNode.prototype.start;
    AudioBufferSourceNode.prototype.start = function (when) {
      log.push({ when, length: this.buffer.length, rate: this.buffer.sampleRate });
      return start.call(this, when);
    };
  });
  await page.keyboard.press("Escape");
  await page.keyboard.press("Home");
  await page.keyboard.press("Space");
  await page.waitForTimeout(2500);
  await page.keyboard.press("Space");
  const log = await page.evaluate(() => window.started);
  assert.ok(log.length >= 2, "nothing was played");
  for (const [index, { when, rate, length }] of log.entries()) {
    assert.ok(Math.abs(when * rate - Math.round(when * rate)) < 1e-3, "between two samples of the clock");
    const next = log[index + 1];
    if (next) assert.equal(Math.round(next.when * rate) - Math.round(when * rate), length, "a gap between two chunks");
  }
}

async function names({ page, shot }) {
  await page.getByText("The models are being read").waitFor({ state: "detached" });
  await button(page, "Music").click();
  assert.deepEqual(await page.locator(".tokens .token").allTextContents(), ["vocals", "drums", "bass", "other"]);
  for (let count = 0; count < 4; count++) await page.locator(".tokens .token button").first().click();
  await page.getByRole("combobox", { name: "Add a name" }).fill("mus");
  await shot("type-ahead");
  await page.keyboard.press("Enter");
  assert.deepEqual(await page.locator(".tokens .token").allTextContents(), ["music-mix"]);
  await button(page, "+ drums").click();
  await page.getByText("already contains every").waitFor();
  await page.locator(".tokens .token button").first().click();
  await page.locator(".tokens .token button").first().click();
}

async function taughtLabels({ page, url, files, shot }) {
  await drop(page, ".desk", [join(files, "my singer.unbraid")]);
  await button(page, "+ my singer").click();
  await button(page, "+ at home").click(); // lies in the library of the server
  await drag(page, REGION, [
    [0.2, 0.5],
    [0.35, 0.5],
  ]);
  const take = await taken(page, url, () => button(page, "Only this part").click());
  assert.equal(take.model, "few-shot-small");
  assert.deepEqual(
    take.targets.map((one) => [one.kind, one.name]),
    [
      ["taught", "my singer"],
      ["taught", "at home"],
    ],
  );
  assert.equal(take.jobs[0].state, "done");
  await until("lanes of labels", async () => (await page.locator(".wave.lane").count()) === 3);
  await shot("taught");
  const { command } = await (await get(page, `${url}/api/takes/${take.id}/code`)).json();
  assert.match(command, /--label 'my singer' --label 'at home' --taught 'my singer.unbraid'/);
  await button(page, "Remove my singer").click();
  await button(page, "Remove at home").click();
  await page.keyboard.press("Escape");
}

async function offers({ page, shot }) {
  await page.getByLabel("Model").selectOption("tuss-small");
  await page.getByText("tuss-small does not take a hum.").waitFor();
  await page.getByText("tuss-small does not take examples. few-shot-small does.").waitFor();
  assert.equal(await page.getByText("Not like this").count(), 0);
  assert.equal(await button(page, "Brush").isDisabled(), true);
  await shot("refusals");
  await page
    .getByRole("region", { name: "Paint" })
    .getByRole("button", { name: /^Use guidesep/ })
    .click();
  assert.equal(await button(page, "Brush").isDisabled(), false);
  await page.getByLabel("Model").selectOption("");
}

async function examples({ page, url, files, shot, kept }) {
  await drag(page, REGION, [
    [0.3, 0.5],
    [0.6, 0.5],
  ]);
  await page.keyboard.press("y");
  await drag(page, REGION, [
    [0.75, 0.5],
    [0.95, 0.5],
  ]);
  await page.keyboard.press("n");
  await drop(page, ".example-side.positive", [join(files, "riff.wav")]);
  await page.locator(".example-side.positive .token", { hasText: "riff.wav" }).waitFor();
  assert.equal(await page.locator(".example-side .token").count(), 3);
  await page.getByLabel("Name of the stem").fill("singer");
  await drag(page, REGION, [
    [0.1, 0.5],
    [0.55, 0.5],
  ]);
  await shot("examples");
  await page.getByText(/^First 0:00\.\d/).waitFor();
  const take = await taken(page, url, () => button(page, "Separate").click());
  await until("stems of the region", async () => (await page.locator(".wave.lane").count()) === 2);
  assert.deepEqual(
    take.jobs.map((job) => job.state),
    ["done", "done"],
  );
  assert.ok(take.jobs[0].region && !take.jobs[1].region, "the region comes first");
  assert.equal(take.model, "few-shot-small");
  assert.deepEqual(take.targets[0].guides[0].negative.length, 1);
  await until("all of the spectrogram has the height that the lanes leave", () =>
    page
      .locator(".spectrogram canvas")
      .evaluateAll((all) => all.every((one) => one.height === Math.round(one.clientHeight * devicePixelRatio))),
  );
  await until("stems are drawn", async () => (await painted(page, ".wave.lane")) > 500);
  assert.match(await page.locator(".presence").first().getAttribute("aria-label"), /%/);
  kept.examples = take;
  await shot("examples-done");
}

/** The examples of the sound become a name that can be asked for, and a file. */
async function teach({ page, url, out, shot }) {
  await page.getByText("Teach it a name").click();
  await page.getByLabel("Name to teach").fill("AC/DC");
  await page.getByText("A name is letters, digits").waitFor();
  await page.getByLabel("Name to teach").fill("my lead");
  await shot("teach");
  await page.getByLabel("Name to teach").press("Enter");
  await button(page, "+ my lead").waitFor();
  const labels = page.getByRole("list", { name: "Taught labels of this session" });
  const [file] = await Promise.all([page.waitForEvent("download"), labels.getByTitle("Save my lead.unbraid").click()]);
  await file.saveAs(join(out, "my lead.unbraid"));
  const known = (await session(page, url)).files.find((one) => one.label?.name === "my lead");
  assert.equal(readFileSync(join(out, "my lead.unbraid")).length, known.size_bytes);
  await page.getByLabel("Name of the stem").scrollIntoViewIfNeeded();
  await shot("taught-here");
  await button(page, "Throw the label my lead away").click();
  await until("it is gone", async () => !(await button(page, "+ my lead").count()));
  await page.getByText("Teach it a name").click();
}

async function hum({ page, url, shot, kept }) {
  await button(page, "+ another sound").click();
  await page.keyboard.press("Escape");
  await page.keyboard.press("Home");
  await page.getByText("Count-in and delay").click();
  await page.getByLabel("beats").fill("2");
  await page.getByLabel("per minute").fill("240");
  await button(page, "● Record a hum").click();
  await button(page, "■ Stop").waitFor();
  await page.waitForTimeout(3500);
  await shot("recording");
  await button(page, "■ Stop").click();
  await page.getByRole("list", { name: "Hums" }).getByText("hum 1").waitFor();
  await until("the hum is with the server", async () =>
    (await session(page, url)).files.some((file) => file.name === "hum 1.wav" && file.state === "ready"),
  );
  const offset = Number(await page.getByLabel("Where it begins in the song").inputValue());
  assert.ok(offset > -0.3 && offset < 0.1, `a hum from the beginning on lies at ${offset} s`);
  kept.humOffset = offset;
  await shot("hummed");
}

async function midi({ page, files, shot }) {
  await button(page, "+ another sound").click();
  await page.waitForTimeout(300);
  const before = await painted(page, SPECTROGRAM);
  await drop(page, "section[aria-label='Hum or MIDI'] .drop", [join(files, "tune.mid")]);
  await page.locator(".melody .token", { hasText: "tune.mid" }).waitFor();
  await until("notes over the spectrogram", async () => (await painted(page, SPECTROGRAM)) > before + 500);
  await shot("midi");
  await button(page, "Remove this sound").click();
}

async function paint({ page, url, shot, kept }) {
  const paintCanvas = ".spectrogram canvas:nth-child(2)";
  await page.getByRole("tab", { name: /hum 1/ }).click();
  let last = await painted(page, paintCanvas);
  const grows = async (words) => {
    const before = last;
    await until(words, async () => (last = await painted(page, paintCanvas)) > before, 5000);
  };
  await page.keyboard.press("b");
  await drag(page, SPECTROGRAM, [
    [0.05, 0.85],
    [0.4, 0.8],
  ]);
  await grows("the brush");
  await page.keyboard.press("h");
  await drag(page, SPECTROGRAM, [
    [0.5, 0.9],
    [0.7, 0.88],
  ]);
  await grows("the harmonics brush");
  await page.keyboard.press("x");
  await page.keyboard.press("r");
  await drag(page, SPECTROGRAM, [
    [0.75, 0.5],
    [0.9, 0.7],
  ]);
  await grows("the rectangle");
  await page.keyboard.press("g");
  await drag(page, SPECTROGRAM, [
    [0.1, 0.4],
    [0.2, 0.4],
    [0.2, 0.6],
    [0.12, 0.6],
  ]);
  await grows("the lasso");
  await shot("painted");
  await page.keyboard.press("e");
  await drag(page, SPECTROGRAM, [
    [0.05, 0.85],
    [0.2, 0.82],
  ]);
  await until("the eraser", async () => (await painted(page, paintCanvas)) < last, 5000);
  for (let count = 0; count < 5; count++) await page.keyboard.press("Control+z");
  await until("everything is undone", async () => (await painted(page, paintCanvas)) === 0, 5000);
  for (let count = 0; count < 5; count++) await page.keyboard.press("Control+Shift+z");
  await page.keyboard.press("v");
  await page.getByText(/% is it/).waitFor();
  // The hum takes part; the sound with examples is put away, as no model takes both.
  await page.getByRole("tab", { name: /singer/ }).click();
  await button(page, "Remove this sound").click();
  await drag(page, REGION, [
    [0.05, 0.5],
    [0.65, 0.5],
  ]);
  await page.getByLabel("Model").selectOption("guidesep-mask-small");
  const take = await taken(page, url, () => button(page, "Only this part").click());
  assert.deepEqual(take.targets[0].guides.map((guide) => guide.kind).sort(), ["mask", "mimicry"]);
  assert.equal(take.jobs[0].state, "done");
  kept.painted = take;
  await page.getByLabel("Model").selectOption("");
  await shot("painted-done");
}

async function spans({ page, url }) {
  await button(page, "+ another sound").click();
  await drag(page, REGION, [
    [0.3, 0.5],
    [0.6, 0.5],
  ]);
  await page.keyboard.press("j");
  await page.locator("section[aria-label='Spans'] .token").waitFor();
  await page.getByRole("tab", { name: /hum 1/ }).click();
  await button(page, "Remove this sound").click();
  await button(page, "+ drums").click();
  await page.getByText(/^No model takes/).waitFor();
  await drag(page, REGION, [
    [0.2, 0.5],
    [0.35, 0.5],
  ]);
  const take = await taken(page, url, () => page.getByRole("button", { name: /^Only “0:0/ }).click());
  assert.equal(take.targets[0].guides[0].kind, "span");
  await button(page, "Remove drums").click();
  await button(page, "Remove this sound").click();
}

export const POINTING = [
  ["a dropped song is seen at once, and read by the server", dropSong],
  ["zoom to a millisecond and out, loop, keyboard", zoomAndPlay],
  ["what plays is gapless to the sample", sampleLock],
  ["names, tasks and type-ahead", names],
  ["taught labels, dropped and from the library, are names", taughtLabels],
  ["the page offers what the model takes, and names the model for the rest", offers],
  ["like this, not like this: the region first, then the whole song", examples],
  ["a sound is taught a name", teach],
  ["a hum is recorded against the song", hum],
  ["notes of a MIDI file lie over the spectrogram", midi],
  ["every brush paints, undo and redo, a hum and paint together", paint],
  ["spans", spans],
];
