import assert from "node:assert/strict";
import { test } from "node:test";
import type { Model } from "../domain/models.ts";
import { REST, priorObstacle, priorSettings, priorWords, searching, takingPart, toggled } from "../domain/priors.ts";
import { reopened } from "../domain/reopening.ts";
import { NO_DRAFT, obstacle } from "../domain/request.ts";

const PRIORS: Model = {
  name: "instglow",
  guides: ["Label"],
  vocabulary: ["vocals", "drums", "bass"],
  taught: [],
  summary: "",
  ships: true,
  draws: false,
  learns: null,
  priors: ["vocals", "drums", "bass"],
  searches: ["default", "quick"],
};
const PLAIN: Model = { ...PRIORS, name: "plain", priors: [], searches: [] };

test("all sources take part until one is left out, and the rest if it is asked for", () => {
  assert.deepEqual(takingPart(PRIORS, {}), ["vocals", "drums", "bass"]);
  const without = toggled(PRIORS, {}, "drums");
  assert.deepEqual(without, { priors: ["vocals", "bass"] });
  const rest = toggled(PRIORS, without, REST);
  assert.deepEqual(rest.priors, ["vocals", "bass", REST]);
  assert.deepEqual(toggled(PRIORS, rest, "drums").priors, ["vocals", "drums", "bass", REST], "in the model's order");
  assert.deepEqual(toggled(PRIORS, without, "drums"), {}, "all of them is what is usual");
  assert.deepEqual(toggled(PRIORS, { search: "quick" }, "drums"), { priors: ["vocals", "bass"], search: "quick" });
});

test("the usual search is not said", () => {
  assert.deepEqual(searching(PRIORS, { priors: ["vocals", "bass"] }, "quick"), {
    priors: ["vocals", "bass"],
    search: "quick",
  });
  assert.deepEqual(searching(PRIORS, { search: "quick" }, "default"), {});
});

test("what cannot be separated with is told, with a cure", () => {
  assert.equal(priorObstacle(PRIORS, {}, ["drums"]), null);
  assert.match(priorObstacle(PRIORS, { priors: ["vocals", "bass"] }, ["drums"])!, /“drums” is asked for, and left out/);
  assert.match(priorObstacle(PRIORS, { priors: ["vocals"] }, ["vocals"])!, /“vocals” alone would take the whole song/);
  assert.match(priorObstacle(PRIORS, { priors: [REST] }, [])!, /No source takes part/);
  assert.equal(priorObstacle(PRIORS, { priors: ["vocals", REST] }, ["vocals"]), null);
  const draft = { ...NO_DRAFT, names: ["drums"], model: "instglow", priors: ["vocals", "bass"] };
  assert.match(obstacle(draft, [PRIORS])!, /let it take part/);
  assert.equal(obstacle({ ...draft, model: "plain" }, [PLAIN]), null, "another model knows nothing of priors");
});

test("only a model of priors is told of them", () => {
  const choice = { priors: [REST, "bass", "vocals"], search: "quick" };
  assert.deepEqual(priorSettings(PRIORS, choice), { priors: ["vocals", "bass", REST], search: "quick" });
  assert.deepEqual(priorSettings(PLAIN, choice), {});
  assert.deepEqual(priorSettings(PRIORS, {}), {});
});

test("a take tells its sources and its search, and lays them on the desk again", () => {
  const settings = { priors: ["vocals", "bass", REST], search: "quick" };
  assert.equal(priorWords(settings), "of vocals, bass, anything else, quick");
  assert.equal(priorWords({ priors: null, search: null }), "");
  const take = { targets: [{ kind: "label", name: "bass" }], model: "instglow", settings };
  const { draft, left } = reopened(take, new Map(), [PRIORS], {}, () => "t");
  assert.deepEqual(draft, { names: ["bass"], targets: [], model: "instglow", ...settings });
  assert.deepEqual(left, []);
});
