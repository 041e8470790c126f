/** The right side: which model, what is asked for, and the button that does it. */

import {
  accepts,
  chosenFor,
  conflict,
  contradiction,
  kindWords,
  refusal,
  suggestions,
  takers,
  TASKS,
  type Kind,
} from "../domain/models.ts";
import {
  type Draft,
  type DrawSetting,
  isEmpty,
  kindsOf,
  neededKinds,
  obstacle,
  titleOf,
  unknownNames,
} from "../domain/request.ts";
import { clock } from "../domain/time.ts";
import { useState } from "preact/hooks";
import { addTarget, firstRegion, separate } from "./actions.ts";
import { activeTarget, draft, duration, model, models, settle, songId, target } from "./desk.ts";
import { IconButton, Problem } from "./parts.tsx";
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
              (kind): kind is Kind => kind !== "Label" || model.value!.vocabulary.length > 0,
            ) as Kind[],
          )}
          ; {model.value.summary}.
        </p>
      )}
      {model.value?.draws && kinds.length > 0 && <Draws />}
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

/** Names that can be asked for: those of the chosen model, or of all. */
function vocabulary(): string[] {
  const asked = draft.value.model ? (model.value ? [model.value] : []) : models.value;
  return [...new Set(asked.flatMap((one) => [...one.vocabulary, ...one.taught]))];
}

function Names() {
  const [typed, setTyped] = useState("");
  const [at, setAt] = useState(0);
  const known = vocabulary();
  const canName = !draft.value.model || (model.value !== null && accepts(model.value, "Label") && known.length > 0);
  const found = typed ? suggestions(typed, known) : [];
  const set = (names: readonly string[]) => {
    draft.value = { ...draft.value, names };
    settle("separate");
  };
  const add = (name: string) => {
    if (name.trim()) set([...draft.value.names, name.trim()]);
    setTyped("");
    setAt(0);
  };
  const keys = (event: KeyboardEvent) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      setAt((at + (event.key === "ArrowDown" ? 1 : found.length - 1)) % Math.max(1, found.length));
      event.preventDefault();
    } else if (event.key === "Enter") add(found[at] ?? typed);
    else if (event.key === "Escape") setTyped("");
    else if (event.key === "Backspace" && !typed) set(draft.value.names.slice(0, -1));
  };
  const wrong = contradiction(draft.value.names) ?? unknownWords(known);
  return (
    <section class="card card-names" aria-label="Names">
      <h2>By name</h2>
      {!canName ? (
        <Refused kind="Label" />
      ) : (
        <>
          <div class="row wrap">
            {TASKS.filter((task) => task.prompts.every((name) => known.includes(name))).map((task) => (
              <button key={task.name} class="chip" title={task.words} onClick={() => set(task.prompts)}>
                {task.words.split(":")[0]}
              </button>
            ))}
          </div>
          <div class="tokens">
            {draft.value.names.map((name, index) => (
              <span class="token" key={`${name}/${index}`}>
                {name}
                <IconButton
                  icon="close"
                  label={`Remove ${name}`}
                  onClick={() => set(draft.value.names.filter((_, place) => place !== index))}
                />
              </span>
            ))}
            <input
              value={typed}
              placeholder={draft.value.names.length ? "" : "Type a name, such as vocals"}
              aria-label="Add a name"
              role="combobox"
              aria-expanded={found.length > 0}
              aria-controls="names"
              aria-autocomplete="list"
              aria-activedescendant={found[at] ? `name-${at}` : undefined}
              onInput={(event) => {
                setTyped(event.currentTarget.value);
                setAt(0);
              }}
              onKeyDown={keys}
              onBlur={() => window.setTimeout(() => setTyped(""), 150)}
            />
            {found.length > 0 && (
              <ul id="names" class="popover options" role="listbox" aria-label="Names">
                {found.map((name, index) => (
                  <li
                    key={name}
                    id={`name-${index}`}
                    role="option"
                    aria-selected={index === at}
                    class={index === at ? "on" : ""}
                    onMouseDown={() => add(name)}
                  >
                    {name}
                  </li>
                ))}
              </ul>
            )}
          </div>
          <div class="row wrap names">
            {known
              .slice(0, 24)
              .filter((name) => !draft.value.names.includes(name) || ["speech", "sfx"].includes(name))
              .map((name) => (
                <button key={name} class="chip quiet" onClick={() => add(name)}>
                  + {name}
                </button>
              ))}
          </div>
          {wrong && (
            <p class="problem" role="alert">
              {wrong}
            </p>
          )}
        </>
      )}
    </section>
  );
}

function unknownWords(known: readonly string[]): string | null {
  const unknown =
    model.value && draft.value.model
      ? unknownNames(draft.value, model.value)
      : draft.value.names.filter((name) => !known.includes(name));
  if (!unknown.length) return null;
  return `No ${draft.value.model ? "such name in this model" : "model knows"}: “${unknown[0]}”. Choose one of the names below, or point at the sound.`;
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
