/** The right side: which model, what is asked for, and the button that does it. */

import { chosenFor, conflict, kindWords, refusal, takers, type Kind } from "../domain/models.ts";
import { type Draft, type DrawSetting, isEmpty, kindsOf, neededKinds, obstacle, titleOf } from "../domain/request.ts";
import { clock } from "../domain/time.ts";
import { addTarget, firstRegion, separate } from "./actions.ts";
import { activeTarget, before, draft, duration, model, models, putBack, settle, songId, target } from "./desk.ts";
import { IconButton, Problem } from "./parts.tsx";
import { Names } from "./Names.tsx";
import { Priors } from "./Priors.tsx";
import { TargetCard } from "./TargetCard.tsx";
import { Takes, UnderWay } from "./Takes.tsx";

export function GuidePanel() {
  return (
    <aside class="panel" aria-label="Point at sounds">
      <div class="panel-scroll">
        <ModelChoice />
        <Names />
        <Targets />
        <Takes />
      </div>
      <SeparateBar />
    </aside>
  );
}

/** What took the place of something else, and the way back. */
function Before() {
  const kept = before.value;
  if (!kept) return null;
  return (
    <div class="before row" role="group" aria-label="What was laid down">
      <p class="grow small">{kept.words}</p>
      <button class="chip" onClick={putBack}>
        Undo
      </button>
      <IconButton icon="close" label="Keep it so" onClick={() => (before.value = null)} />
    </div>
  );
}

/** Settings that came with a take, and have no place of their own here. */
function More() {
  const more = Object.entries(draft.value.more ?? {});
  const remove = (name: string) => {
    const rest = more.filter(([other]) => other !== name);
    draft.value = { ...draft.value, more: Object.fromEntries(rest) };
  };
  if (!more.length) return null;
  return (
    <ul class="tokens-list" aria-label="Settings">
      {more.map(([name, value]) => (
        <li key={name} class="token">
          {name.replaceAll("_", " ")} {value}
          <IconButton icon="close" label={`As usual: ${name.replaceAll("_", " ")}`} onClick={() => remove(name)} />
        </li>
      ))}
    </ul>
  );
}

function ModelChoice() {
  const kinds = neededKinds(draft.value);
  const automatic = chosenFor(models.value, kinds, draft.value.names);
  const chosen = draft.value.model;
  return (
    <section class="card card-model">
      <label class="field inline">
        <span>Model</span>
        <select
          value={chosen ?? ""}
          onChange={(event) => {
            draft.value = { ...draft.value, model: event.currentTarget.value || null };
            settle("separate");
          }}
        >
          <option value="">
            {automatic && kinds.length ? `chosen by guides: ${automatic.name}` : "chosen by guides"}
          </option>
          {models.value.map((one) => (
            <option key={one.name} value={one.name}>
              {one.name}
            </option>
          ))}
        </select>
      </label>
      {chosen && model.value && (
        <p class="faint small">
          Takes{" "}
          {kindWords(
            model.value.guides.filter(
              (kind) =>
                kind !== "Negative" &&
                (kind !== "Label" || model.value!.vocabulary.length + model.value!.taught.length > 0),
            ) as Kind[],
          )}
          ; {model.value.summary}.
        </p>
      )}
      {model.value?.draws && kinds.length > 0 && <Draws />}
      {model.value?.searches.length && (chosen || kinds.length > 0) ? <Priors /> : null}
      <More />
    </section>
  );
}

const DRAWS: readonly {
  name: DrawSetting;
  words: string;
  usual: string;
  least: number;
  most: number;
  tells: string;
}[] = [
  { name: "seed", words: "seed", usual: "0", least: 0, most: 2 ** 31, tells: "Another seed, another answer" },
  { name: "steps", words: "steps", usual: "as made", least: 1, most: 1000, tells: "More are slower" },
  {
    name: "candidates",
    words: "candidates",
    usual: "1",
    least: 1,
    most: 64,
    tells: "Draws of which the best is taken",
  },
];

/** Settings of models that draw at random. */
function Draws() {
  const set = (name: DrawSetting, text: string) => {
    const { [name]: _, ...rest } = draft.value.draws ?? {};
    draft.value = { ...draft.value, draws: text.trim() === "" ? rest : { ...rest, [name]: Math.round(Number(text)) } };
  };
  return (
    <details class="by-numbers">
      <summary>How {model.value!.name} draws</summary>
      <div class="row wrap">
        {DRAWS.map((one) => (
          <label key={one.name} title={one.tells}>
            {one.words}{" "}
            <input
              type="number"
              aria-label={one.words}
              min={one.least}
              max={one.most}
              placeholder={one.usual}
              value={draft.value.draws?.[one.name] ?? ""}
              onChange={(event) => set(one.name, event.currentTarget.value)}
            />
          </label>
        ))}
      </div>
    </details>
  );
}

/** A kind of guide that the chosen model does not take, and the way to one that does. */
export function Refused({ kind }: { kind: Kind }) {
  if (!model.value) return null;
  const others = takers(models.value, [kind]);
  return (
    <p class="faint small">
      {refusal(model.value, kind, models.value)}{" "}
      {others[0] && (
        <button class="chip" onClick={() => (draft.value = { ...draft.value, model: others[0]!.name })}>
          Use {others[0].name}
        </button>
      )}
    </p>
  );
}

function Targets() {
  return (
    <section class="card card-targets" aria-label="Sounds that are pointed at">
      <div class="row">
        <h2 class="grow">By pointing</h2>
        <button class="chip" onClick={() => addTarget()}>
          + another sound
        </button>
      </div>
      {draft.value.targets.length > 1 && (
        <div class="tabs" role="tablist" aria-label="Sounds">
          {draft.value.targets.map((one) => (
            <button
              key={one.id}
              role="tab"
              aria-selected={one.id === activeTarget.value}
              class={one.id === activeTarget.value ? "on" : ""}
              onClick={() => (activeTarget.value = one.id)}
            >
              {isEmpty(one) && !one.name ? "new sound" : titleOf(one)}{" "}
              {kindsOf(one).length > 0 && <span class="faint">{kindsOf(one).length}</span>}
            </button>
          ))}
        </div>
      )}
      <TargetCard />
    </section>
  );
}

/** Where no model takes all together: the sound that is pointed at now, alone, if a model takes that. */
function aloneOf(kinds: readonly Kind[]): Draft | null {
  const one = target.value;
  if (!one || isEmpty(one) || !conflict(models.value, kinds, draft.value.names)) return null;
  const asked: Draft = {
    names: [],
    targets: [one],
    model: null,
    ...(draft.value.draws ? { draws: draft.value.draws } : {}),
  };
  return obstacle(asked, models.value) ? null : asked;
}

function SeparateBar() {
  const first = firstRegion();
  const kinds = neededKinds(draft.value);
  const wrong = duration.value > 0 ? obstacle(draft.value, models.value) : null;
  const alone = wrong && songId.value !== null ? aloneOf(kinds) : null;
  const isReady = !wrong && songId.value !== null;
  const hint =
    songId.value === null
      ? "Drop a song first."
      : (wrong ??
        (first
          ? `First ${clock(first.start, 1)}–${clock(first.stop, 1)}, then the whole song.`
          : "The whole song at once."));
  return (
    <div class="separate">
      <Before />
      <UnderWay />
      <p class={`small ${wrong && kinds.length ? "" : "faint"}`} aria-live="polite">
        {hint}
      </p>
      <div class="row">
        <button
          class="button strong grow"
          disabled={!isReady}
          onClick={() => void separate(first ? "both" : "whole")}
          title="Ctrl+Enter"
        >
          Separate
        </button>
        {first && (
          <button class="button" disabled={!isReady} onClick={() => void separate("region")} title="Enter">
            Only this part
          </button>
        )}
      </div>
      {alone && (
        <button class="button clip" onClick={() => void separate(first ? "region" : "whole", alone)}>
          Only “{titleOf(alone.targets[0]!)}”
        </button>
      )}
      <Problem place="separate" />
    </div>
  );
}
