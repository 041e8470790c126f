import assert from "node:assert/strict";
import { test } from "node:test";
import { inflateSync } from "node:zlib";
import { bandOf } from "../domain/mel.ts";
import { MidiError, readMidi } from "../domain/midi.ts";
import { Painting } from "../domain/painting.ts";
import { crc32, pictureOf, pngOf } from "../domain/png.ts";
import { PreviewPyramid, binsOf, coarser, levelFor, levelsOf, peaksOf, tilesOf } from "../domain/pyramid.ts";
import { countIn, hummedAt, wavOf } from "../domain/recording.ts";
import { Spectrum } from "../domain/spectrum.ts";
import { NOTHING, arrived, chosen, heard, swapped, without } from "../domain/takes.ts";
import { chunked, heardGain, positionAt, regionOf, stretches } from "../domain/transport.ts";

test("a loop turns at the sample, again and again", () => {
  const loop = { start: 1, stop: 1.25 };
  const found = stretches(1.2, 10, 0.5, 60, loop);
  const expected = [
    [10, 1.2, 1.25],
    [10.05, 1, 1.25],
    [10.3, 1, 1.2],
  ];
  found.forEach((one, index) => {
    [one.when, one.from, one.to].forEach((value, place) =>
      assert.ok(Math.abs(value - expected[index]![place]!) < 1e-9),
    );
  });
  assert.ok(Math.abs(positionAt(10.35, found)! - 1.05) < 1e-9);
  assert.equal(stretches(59.9, 0, 1, 60, null).length, 1);
});

test("playing behind a loop goes on to the end", () => {
  assert.deepEqual(stretches(30, 0, 1, 60, { start: 1, stop: 2 }), [{ when: 0, from: 30, to: 31 }]);
});

test("chunks adjoin to the sample", () => {
  const parts = chunked({ when: 5, from: 0.9, to: 2.1 }, 1000, 500);
  assert.deepEqual(
    parts.map(({ chunk, offset, length }) => [chunk, offset, length]),
    [
      [1, 400, 100],
      [2, 0, 500],
      [3, 0, 500],
      [4, 0, 100],
    ],
  );
  assert.ok(Math.abs(parts[3]!.when - 6.1) < 1e-9);
});

test("solo silences the others, mute wins over solo", () => {
  const lanes = [
    { mute: false, solo: true, gainDb: -20 },
    { mute: false, solo: false, gainDb: 0 },
    { mute: true, solo: true, gainDb: 0 },
  ];
  assert.deepEqual(
    lanes.map((lane) => heardGain(lane, lanes)),
    [0.1, 0, 0],
  );
});

test("regions are in order and inside of the song", () => {
  assert.deepEqual(regionOf(5, -1, 4), { start: 0, stop: 4 });
  assert.equal(regionOf(2, 2.001, 4), null);
});

test("a hum is moved back by the ways in and out of the machine", () => {
  assert.ok(Math.abs(hummedAt(10, { output: 0.05, input: 0.02, manual: -0.01 }) - 9.94) < 1e-12);
  assert.deepEqual(countIn(3, 4, 120), { clicks: [3, 3.5, 4, 4.5], start: 5 });
});

test("a hum is sent as a WAV file of 16 bits", () => {
  const samples = Float32Array.from({ length: 100 }, (_, index) => Math.sin(index / 5) * 0.9);
  const bytes = wavOf(samples, 48000).buffer;
  const view = new DataView(bytes);
  assert.deepEqual(
    [view.getUint32(24, true), view.getUint16(22, true), view.getUint16(34, true), view.getUint32(40, true)],
    [48000, 1, 16, 200],
  );
  samples.forEach((value, index) => assert.ok(Math.abs(view.getInt16(44 + 2 * index, true) / 32767 - value) < 1e-4));
});

test("takes: the new one is heard, the one before stays at hand to compare", () => {
  let comparison = arrived(arrived(NOTHING, "a"), "b");
  assert.deepEqual([heard(comparison), heard(swapped(comparison))], ["b", "a"]);
  comparison = chosen(comparison, "a");
  assert.deepEqual([comparison.current, comparison.other], ["a", "b"]);
  assert.equal(heard(without(comparison, "a")), "b");
});

function midi(...tracks: number[][]): ArrayBuffer {
  const bytes = [0x4d, 0x54, 0x68, 0x64, 0, 0, 0, 6, 0, 1, 0, tracks.length, 0x01, 0xe0];
  for (const track of tracks) bytes.push(0x4d, 0x54, 0x72, 0x6b, 0, 0, 0, track.length, ...track);
  return Uint8Array.from(bytes).buffer;
}

test("notes of a MIDI file: tempo changes, running status, names", () => {
  const tempo = [0, 0xff, 0x51, 3, 0x07, 0xa1, 0x20, 0x83, 0x60, 0xff, 0x51, 3, 0x0f, 0x42, 0x40, 0, 0xff, 0x2f, 0];
  const notes = [
    0, 0xff, 0x03, 1, 0x41, 0, 0x90, 69, 64, 0x83, 0x60, 69, 0, 0, 72, 64, 0x83, 0x60, 72, 0, 0, 0xff, 0x2f, 0,
  ];
  const [track] = readMidi(midi(tempo, notes));
  assert.equal(track!.number, 1);
  assert.equal(track!.name, "A");
  assert.deepEqual(track!.notes, [
    { start: 0, duration: 0.5, pitch: 69 },
    { start: 0.5, duration: 1, pitch: 72 },
  ]);
});

test("damaged MIDI is told, not guessed", () => {
  assert.throws(() => readMidi(new ArrayBuffer(3)), MidiError);
  assert.throws(() => readMidi(midi([0, 0x90, 69])), MidiError);
});

test("a mask is a PNG of 80 rows: green above, red, black; long songs share columns", async () => {
  assert.equal(crc32(new TextEncoder().encode("123456789")), 0xcbf43926);
  const painting = new Painting(100);
  painting.block(0)[0] = 200; // row 0, column 0: the lowest, so at the bottom left
  painting.block(1)[5 * 64 + 1] = -100; // row 5, column 65
  const picture = pictureOf(painting, 1000);
  assert.deepEqual([picture.width, picture.height], [100, 80]);
  assert.deepEqual([...picture.pixels.subarray(3 * 7900, 3 * 7900 + 3)], [0, 200, 0]);
  assert.deepEqual([...picture.pixels.subarray(3 * (74 * 100 + 65), 3 * (74 * 100 + 65) + 3)], [100, 0, 0]);
  assert.equal(pictureOf(painting, 50).pixels[3 * 79 * 50 + 1], 100);
  const png = await pngOf(picture);
  const view = new DataView(png.buffer);
  assert.deepEqual([view.getUint32(16), view.getUint32(20), png[24], png[25]], [100, 80, 8, 2]);
  const data = png.subarray(41, 41 + view.getUint32(33));
  assert.equal(inflateSync(data).length, 80 * 301);
});

test("a tone lies on its band of the spectrogram, at its level", () => {
  const samples = Float32Array.from(
    { length: 44100 },
    (_, index) => 0.1 * Math.sin((2 * Math.PI * 3000 * index) / 44100),
  );
  const frame = new Spectrum(samples, 44100, 31.25).frames(15, 16);
  const loudest = frame.indexOf(Math.max(...frame));
  assert.ok(Math.abs(loudest + 0.5 - bandOf(3000)) <= 1, `band ${loudest}`);
  assert.ok(Math.abs((frame[loudest]! * 96) / 255 - 96 + 20) < 4);
});

test("coarser levels of the preview keep the loudest", () => {
  const preview = new PreviewPyramid(80);
  const frames = new Uint8Array(216 * 2000);
  frames[216 * 1777 + 5] = 200;
  preview.write(0, frames.subarray(0, 216 * 500));
  preview.write(500, frames.subarray(216 * 500));
  assert.equal(preview.tile({ level: 0, index: 0 }), null);
  assert.equal(preview.tile({ level: 1, index: Math.floor(1777 / 256) })![(1777 % 256) * 216 + 5], 200);
  assert.equal(Math.max(...preview.tile({ level: 2, index: 1 })!), 200);
  assert.deepEqual([levelFor(0.1, 5), levelFor(4, 5), levelFor(1e9, 5)], [0, 1, 4]);
  assert.deepEqual([levelsOf(100, 256), levelsOf(1024, 256), levelsOf(1025, 256)], [1, 2, 3]);
  assert.deepEqual(
    tilesOf(1, 1000, 2100, 9000, 256).map((one) => one.index),
    [0, 1, 2],
  );
});

test("peaks of all channels, and four of them joined", () => {
  const samples = new Float32Array(10_000);
  samples[7_777] = 0.7;
  samples[1_234] = -0.4;
  const joined = coarser(coarser(peaksOf([samples, new Float32Array(10_000)], 10)));
  assert.ok(Math.abs(Math.max(...joined) - 0.7) < 1e-6 && Math.abs(Math.min(...joined) + 0.4) < 1e-6);
  const bytes = Int16Array.of(-10, 20, -32767, 5).buffer;
  assert.deepEqual(
    [...binsOf(bytes, 2)].map((value) => Math.round(value * 32767)),
    [-32767, 20],
  );
});
