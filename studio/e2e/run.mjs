/**
 * Walks through the studio in Debian's Chromium, step by step, on a real song and a real server.
 *
 * tests/browser/test_studio.py starts the server and calls this. Environment: STUDIO_URL, CHROMIUM, STUDIO_OUT (a folder
 * for screenshots and downloads), STUDIO_FILES (a folder with song.flac, long.flac, hum.wav, riff.wav, tune.mid).
 */

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { LOOKS } from "./looks.mjs";
import { POINTING } from "./pointing.mjs";
import { RESULTS } from "./results.mjs";

const {
  STUDIO_URL: url,
  CHROMIUM: executablePath,
  STUDIO_OUT: out,
  STUDIO_FILES: files,
  STUDIO_ONLY: only,
} = process.env;
mkdirSync(out, { recursive: true });

const browser = await chromium.launch({
  executablePath,
  args: [
    "--no-sandbox",
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    `--use-file-for-fake-audio-capture=${join(files, "hum.wav")}`,
  ],
});
const context = await browser.newContext({
  viewport: { width: 1280, height: 720 },
  colorScheme: "dark",
  acceptDownloads: true,
  permissions: ["microphone"],
});
const page = await context.newPage();
page.setDefaultTimeout(Number(process.env.STUDIO_PATIENCE ?? 300000));
const complaints = [];
page.on("pageerror", (error) => complaints.push(`page error: ${error.message}`));
page.on("console", (message) => {
  // A tile that does not exist yet is asked for again; the browser tells of it all the same.
  const isEarly =
    message.text().includes("404") && /\/api\/sounds\/\w+(-\d)?\/(peaks|spectrogram)\//.test(message.location().url);
  if (message.type() === "error" && !isEarly) complaints.push(`console: ${message.text()} ${message.location().url}`);
});

const world = {
  page,
  context,
  url,
  out,
  files,
  kept: {},
  shot: (name) => page.screenshot({ path: join(out, `${name}.png`) }),
};
const report = [];
for (const [words, step] of [...POINTING, ...RESULTS, ...LOOKS]) {
  if (only && !words.includes(only) && words !== POINTING[0][0]) continue;
  const begun = Date.now();
  try {
    await step(world);
    if (complaints.length) throw new Error(complaints.splice(0).join("; "));
    report.push({ words, passed: true });
    console.log(`ok    ${words} (${((Date.now() - begun) / 1000).toFixed(1)} s)`);
  } catch (error) {
    report.push({ words, passed: false, error: String(error.message ?? error) });
    console.log(`FAIL  ${words}: ${error.stack ?? error}`);
    await world.shot(`failed-${report.length}`);
    complaints.length = 0;
    if (report.length === 1) break; // without a song there is nothing more to see
  }
}
await browser.close();
writeFileSync(join(out, "report.json"), JSON.stringify(report, null, 2));
process.exitCode = report.every((one) => one.passed) ? 0 : 1;
