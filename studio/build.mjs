/** Builds the page into the Python package, and writes down of which sources it was made. */

import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const HERE = dirname(fileURLToPath(import.meta.url));
const OUT = process.argv[2] ?? join(HERE, "..", "src", "unbraid", "server", "static");
const SOURCES = ["api", "domain", "audio", "canvas", "panels"];
const FILES = [
  "main.tsx",
  "index.html",
  "style.css",
  "icon.svg",
  "build.mjs",
  "tsconfig.json",
  "package.json",
  "package-lock.json",
];

function sources() {
  const found = [...FILES];
  const walk = (folder) => {
    for (const name of readdirSync(join(HERE, folder))) {
      const path = join(folder, name);
      if (statSync(join(HERE, path)).isDirectory()) walk(path);
      else found.push(path);
    }
  };
  SOURCES.forEach(walk);
  return found.map((path) => relative(HERE, join(HERE, path)).split(sep).join("/")).sort();
}

/** SHA-256 over the names and contents of all sources; tests/server/test_static_build.py computes the same. */
function hashOf(paths) {
  const hash = createHash("sha256");
  for (const path of paths) {
    const content = readFileSync(join(HERE, path));
    hash.update(`${path}\0${content.length}\0`);
    hash.update(content);
  }
  return hash.digest("hex");
}

mkdirSync(OUT, { recursive: true });
await build({
  absWorkingDir: HERE,
  entryPoints: { app: "main.tsx", recorder: "audio/recorder_worklet.ts", analysis: "canvas/analysis_worker.ts" },
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  charset: "utf8",
  legalComments: "eof",
  outdir: OUT,
  logLevel: "warning",
});
for (const name of ["index.html", "style.css", "icon.svg"]) copyFileSync(join(HERE, name), join(OUT, name));
const output = ["analysis.js", "app.js", "icon.svg", "index.html", "recorder.js", "style.css"];
const digest = (name) =>
  createHash("sha256")
    .update(readFileSync(join(OUT, name)))
    .digest("hex");
const note = { sources: hashOf(sources()), files: Object.fromEntries(output.map((name) => [name, digest(name)])) };
writeFileSync(join(OUT, "build.json"), `${JSON.stringify(note, null, 2)}\n`);
