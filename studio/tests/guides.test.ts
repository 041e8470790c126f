import assert from "node:assert/strict";
import { test } from "node:test";
import { requestOf } from "../domain/guides.ts";
import { type Model, chosenFor, conflict, contradiction, refusal, suggestions } from "../domain/models.ts";
import { NO_DRAFT, type Target, missing, neededKinds, newTarget, obstacle, titleOf } from "../domain/request.ts";

const model = (name: string, guides: string[], vocabulary: string[] = [], ships = true): Model => ({
  name,
  guides,
  vocabulary,
  taught: [],
  summary: "",
  ships,
  draws: false,
  learns: null,
  priors: [],
  searches: [],
});
const TUSS = model("tuss-small", ["Label", "Prompts"], ["speech", "vocals", "drums", "bass"]);
const FEW = model("few-shot-small", ["Examples", "Label"]);
const GUIDESEP = model("guidesep-small", ["Mask", "Mimicry", "Score"]);
const MODELS = [TUSS, FEW, GUIDESEP, model("guidesep", ["Mask", "Mimicry", "Score", "Examples"], [], false)];
const riff = { key: "u1", title: "riff.wav" };
const hummed: Target = {
  ...newTarget("t"),
  melody: { kind: "hum", upload: { key: "u2", title: "hum 1.wav" }, offset: 12.34567 },
  painted: true,
};

test("the first model that ships and takes all guides is chosen", () => {
  assert.equal(chosenFor(MODELS, ["Label"])?.name, "tuss-small");
  assert.equal(chosenFor(MODELS, ["Mimicry", "Mask"])?.name, "guidesep-small");
  assert.equal(chosenFor(MODELS, ["Span"])?.name, "few-shot-small");
  assert.equal(chosenFor(MODELS, ["Examples", "Mask"]), null);
  assert.equal(
    chosenFor(MODELS, ["Examples", "Label"], ["drums"]),
    null,
    "few-shot-small takes labels, and knows no drums",
  );
});

test("what a model does not take is said with the name of one that does", () => {
  assert.equal(refusal(TUSS, "Mimicry", MODELS), "tuss-small does not take a hum. guidesep-small does.");
  assert.match(conflict(MODELS, ["Examples", "Mask"])!, /examples \(few-shot-small\) and paint \(guidesep-small\)/);
  assert.equal(conflict(MODELS, ["Mask"]), null);
});

test("prompts that contradict each other are named", () => {
  assert.match(contradiction(["music-mix", "drums"])!, /music-mix.*drums/);
  assert.equal(contradiction(["speech", "speech", "sfx-mix"]), null);
});

test("typing finds names by their beginning first", () => {
  assert.deepEqual(suggestions("gui", ["bass", "acoustic guitar", "guitar"]), ["guitar", "acoustic guitar"]);
});

test("names become prompts where the model takes prompts, and labels elsewhere", () => {
  const draft = { ...NO_DRAFT, names: ["vocals", "drums"] };
  assert.deepEqual(requestOf(draft, TUSS, new Map()), [{ kind: "prompts", names: ["vocals", "drums"] }]);
  assert.deepEqual(requestOf(draft, FEW, new Map())[0], { kind: "label", name: "vocals" });
});

test("a target carries its guides as the server reads them", () => {
  const target: Target = {
    ...newTarget("t", "guitar"),
    positive: [
      { kind: "file", upload: riff },
      { kind: "span", start: 12, stop: 16.00004 },
    ],
    negative: [{ kind: "span", start: 1, stop: 2 }],
    spans: [{ start: 20, stop: 24, sounds: false }],
  };
  assert.deepEqual(requestOf({ ...NO_DRAFT, targets: [target, hummed] }, null, new Map([["t", "m1"]])), [
    {
      name: "guitar",
      guides: [
        {
          kind: "examples",
          positive: [{ file: "u1" }, { start: 12, stop: 16 }],
          negative: [
            { start: 1, stop: 2 },
            { start: 20, stop: 24 },
          ],
        },
      ],
    },
    {
      name: "hum 1",
      guides: [
        { kind: "mimicry", file: "u2", offset: 12.3457 },
        { kind: "mask", positive: "m1" },
      ],
    },
  ]);
});

test("what is missing is told before anything is sent", () => {
  assert.match(missing(NO_DRAFT)!, /Nothing is asked for/);
  const not = { ...newTarget("t"), spans: [{ start: 1, stop: 2, sounds: false }] };
  assert.match(missing({ ...NO_DRAFT, targets: [not] })!, /only what the sound is not/);
  assert.equal(missing({ ...NO_DRAFT, targets: [hummed] }), null);
  assert.match(
    obstacle({ ...NO_DRAFT, targets: [hummed], model: "tuss-small" }, MODELS)!,
    /^tuss-small does not take a hum\. guidesep-small does\./,
  );
  assert.match(obstacle({ ...NO_DRAFT, names: ["lute"], model: "tuss-small" }, MODELS)!, /does not know “lute”/);
  assert.equal(obstacle({ ...NO_DRAFT, targets: [hummed] }, MODELS), null);
  assert.deepEqual(neededKinds({ ...NO_DRAFT, targets: [hummed] }), ["Mimicry", "Mask"]);
  assert.equal(titleOf({ ...newTarget("t"), spans: [{ start: 12, stop: 16, sounds: true }] }), "0:12.0–0:16.0");
});

test("only a model that takes negative examples is asked with them", () => {
  const plain = model("plain", ["Examples", "Label"]);
  const both = model("both", ["Examples", "Label", "Negative"]);
  const target: Target = {
    ...newTarget("t", "guitar"),
    positive: [{ kind: "file", upload: riff }],
    negative: [{ kind: "span", start: 1, stop: 2 }],
  };
  const draft = { ...NO_DRAFT, targets: [target] };
  assert.equal(chosenFor([plain, both], neededKinds(draft))?.name, "both");
  assert.match(
    obstacle({ ...draft, model: "plain" }, [plain, both])!,
    /^plain does not take examples of what it is not\. both does\./,
  );
  const spans: Target = { ...target, negative: [], spans: [{ start: 1, stop: 2, sounds: false }] };
  assert.ok(neededKinds({ ...NO_DRAFT, targets: [spans] }).includes("Negative"), "a span of silence is one, too");
  assert.match(obstacle(draft, [plain])!, /examples of what it is not \(no model\)/);
});

test("a name that was taught is asked for with its file", () => {
  const taught = { ...TUSS, taught: ["riff"] };
  const draft = { ...NO_DRAFT, names: ["riff", "drums"] };
  assert.equal(chosenFor([TUSS, taught], ["Label"], ["riff", "drums"]), taught);
  assert.equal(obstacle({ ...draft, model: "tuss-small" }, [taught]), null);
  assert.deepEqual(requestOf(draft, taught, new Map(), new Map([["riff", "u9"]])), [
    { kind: "taught", name: "riff", file: "u9" },
    { kind: "label", name: "drums" },
  ]);
});
