import assert from "node:assert/strict";
import { test } from "node:test";
import { requestOf } from "../domain/guides.ts";
import type { Model } from "../domain/models.ts";
import { reopened } from "../domain/reopening.ts";
import { obstacle } from "../domain/request.ts";

const FILES = new Map([
  ["h", { name: "hum 1.wav", duration: 3.5 }],
  ["r", { name: "riff.wav", duration: 2 }],
  ["m", { name: "tune.mid", duration: null }],
  ["p", { name: "paint.png", duration: null }],
  ["l", { name: "riff.unbraid", duration: null }],
]);
const TASKS = { music: ["vocals", "drums"], "speakers=N": ["speech", "sfx-mix"] };
const MODELS: Model[] = [
  {
    name: "all",
    guides: ["Label", "Prompts", "Examples", "Negative", "Span", "Mimicry", "Score", "Mask"],
    vocabulary: ["bass", "vocals", "drums", "speech", "sfx-mix"],
    taught: ["riff"],
    summary: "",
    ships: true,
    draws: true,
    learns: null,
    priors: [],
    searches: [],
  },
];
const open = (targets: readonly unknown[], settings: Record<string, unknown> = {}, model = "all") => {
  let number = 0;
  return reopened({ targets, model, settings }, FILES, MODELS, TASKS, () => `t${number++}`);
};

test("what was asked for with names is asked for again", () => {
  const found = open([{ kind: "prompts", names: ["vocals", "drums", "drums"] }]);
  assert.deepEqual(found.draft, { names: ["vocals", "drums", "drums"], targets: [], model: "all" });
  assert.deepEqual(open([{ kind: "task", task: "music" }]).draft.names, ["vocals", "drums"]);
  assert.deepEqual(open([{ kind: "task", task: "speakers=2" }]).draft.names, ["speech", "speech", "sfx-mix"]);
  const taught = open([
    { kind: "taught", name: "riff", file: "l" },
    { kind: "label", name: "bass" },
  ]);
  assert.deepEqual(taught.draft.names, ["riff", "bass"]);
});

test("every guide of a target makes the same request again", () => {
  const targets = [
    {
      name: "guitar",
      guides: [
        {
          kind: "examples",
          positive: [{ file: "r" }, { start: 1, stop: 2 }],
          negative: [{ start: 3, stop: 4 }],
        },
      ],
    },
    {
      name: "lead",
      guides: [
        { kind: "mimicry", file: "h", offset: -0.25 },
        { kind: "mask", positive: "p" },
      ],
    },
    { name: "tune", guides: [{ kind: "score", file: "m", track: 2, offset: null }] },
    {
      name: "here",
      guides: [
        { kind: "span", start: 5, stop: 6, sounds: true },
        { kind: "span", start: 7, stop: 8, sounds: false },
      ],
    },
  ];
  const found = open(targets);
  assert.deepEqual(found.left, []);
  assert.deepEqual([...found.paint], [["t1", "p"]]);
  assert.equal(found.draft.targets[1]!.melody?.upload.title, "hum 1.wav");
  assert.deepEqual(requestOf(found.draft, MODELS[0]!, found.paint), targets);
  assert.equal(obstacle(found.draft, MODELS), null);
});

test("model and settings come back, and a model that is gone is told", () => {
  const found = open([{ kind: "label", name: "bass" }], { seed: 3, candidates: 2, overlap: 0.5, precision: "bf16" });
  assert.deepEqual(found.draft.draws, { seed: 3, candidates: 2 });
  assert.deepEqual(found.draft.more, { overlap: 0.5, precision: "bf16" });
  const gone = open([{ kind: "label", name: "bass" }], {}, "mine");
  assert.equal(gone.draft.model, null);
  assert.match(gone.left.join(), /its model, mine, is not offered here/);
});

test("what this page cannot show is told, not lost in silence", () => {
  const found = open([
    { name: "x", guides: [{ kind: "mask", positive: "p", negative: "p", soft: true, shapes: null }] },
    {
      name: "y",
      guides: [
        { kind: "label", name: "bass" },
        { kind: "span", start: 1, stop: 2, sounds: true },
      ],
    },
    { kind: "score", file: "m", track: "Flute", offset: 0 },
  ]);
  assert.equal(found.left.length, 3);
  assert.match(found.left[0]!, /mask of “x”/);
  assert.match(found.left[1]!, /joins other guides in “y”/);
  assert.match(found.left[2]!, /told by its name/);
  assert.equal(found.draft.targets.length, 3);
});
