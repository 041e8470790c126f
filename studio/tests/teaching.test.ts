import assert from "node:assert/strict";
import { test } from "node:test";
import type { Model } from "../domain/models.ts";
import { type Target, newTarget } from "../domain/request.ts";
import { lessonObstacle, lessonOf, lessonWords, pupilOf } from "../domain/teaching.ts";

const model = (name: string, learns: Model["learns"], guides: string[] = ["Label"]): Model => ({
  name,
  guides,
  vocabulary: learns === "tuning" ? ["vocals"] : [],
  taught: ["riff"],
  summary: "",
  ships: true,
  learns,
  draws: false,
  priors: [],
  searches: [],
});
const TUNED = model("tuned", "tuning");
const EAR = model("ear", "listening", ["Examples", "Label", "Negative"]);
const DEAF = model("deaf", null);
const MODELS = [DEAF, TUNED, EAR];
const target: Target = {
  ...newTarget("t", "guitar"),
  positive: [
    { kind: "file", upload: { key: "f", title: "riff.wav" } },
    { kind: "span", start: 1, stop: 2 },
  ],
  negative: [{ kind: "span", start: 3, stop: 4 }],
};

test("the chosen model learns, else the first that listens", () => {
  assert.equal(pupilOf(MODELS, null), EAR);
  assert.equal(pupilOf([DEAF, TUNED], null), TUNED);
  assert.equal(pupilOf(MODELS, "tuned"), TUNED);
  assert.equal(pupilOf(MODELS, "deaf"), null);
});

test("a lesson has the examples of the sound, cut from the song or whole", () => {
  assert.deepEqual(lessonOf(target, " my guitar ", EAR, "song"), {
    name: "my guitar",
    positive: [{ file: "f" }, { file: "song", start: 1, stop: 2 }],
    negative: [{ file: "song", start: 3, stop: 4 }],
    model: "ear",
  });
  const spans = { ...newTarget("t"), spans: [{ start: 5, stop: 6, sounds: true }] };
  assert.deepEqual(lessonOf(spans, "x", TUNED, "song").positive, [{ file: "song", start: 5, stop: 6 }]);
  assert.equal(lessonWords(lessonOf(target, "x", TUNED, "song")), "2 examples and 1 of what it is not");
});

test("what keeps a sound from being taught is told with a cure", () => {
  assert.equal(lessonObstacle(target, "my guitar", EAR), null);
  assert.match(lessonObstacle(target, "x", null)!, /cannot be taught/);
  assert.match(lessonObstacle(newTarget("t"), "x", EAR)!, /Give an example first/);
  assert.match(lessonObstacle(target, " ", EAR)!, /Give it a name/);
  assert.match(lessonObstacle(target, "AC/DC", EAR)!, /letters, digits/);
  assert.match(lessonObstacle(target, "Vocals", TUNED)!, /tuned knows “vocals” already/);
  assert.match(lessonObstacle(target, "riff", EAR)!, /ear knows “riff” already/);
  const plain = { ...EAR, guides: ["Examples", "Label"] };
  assert.match(lessonObstacle(target, "x", plain)!, /takes no examples of what the sound is not: remove them/);
});
