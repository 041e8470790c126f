import assert from "node:assert/strict";
import { test } from "node:test";
import { type Segment, coverage } from "../audio/player.ts";

const segment = (id: string, start: number, seconds: number, final = seconds): Segment => ({
  start,
  sound: { id, rate: 100, nChannels: 1, nSamples: seconds * 100, finalSamples: final * 100 },
});
const told = (segments: Segment[], from: number, to: number) =>
  coverage(segments, from, to).map((part) => [part.segment.sound.id, part.from, part.to]);

test("the whole song sounds as far as it is there, the region where it is not, and nothing elsewhere", () => {
  const parts = [segment("region", 4, 4), segment("whole", 0, 20, 5)];
  assert.deepEqual(told(parts, 0, 20), [
    ["whole", 0, 5],
    ["region", 5, 8],
  ]);
  assert.deepEqual(told(parts, 6, 7), [["region", 6, 7]]);
  assert.deepEqual(told(parts, 10, 20), []);
});

test("a region in the middle of a whole song that is done is not heard twice", () => {
  assert.deepEqual(told([segment("region", 4, 4), segment("whole", 0, 20)], 0, 20), [["whole", 0, 20]]);
});
