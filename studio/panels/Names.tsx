/** Sounds that are asked for by their names: from a vocabulary, or taught. */

import { useState } from "preact/hooks";
import { TASKS, accepts, contradiction, suggestions } from "../domain/models.ts";
import { unknownNames } from "../domain/request.ts";
import { addLabels } from "./actions.ts";
import { draft, model, modelInfos, models, settle } from "./desk.ts";
import { Refused } from "./GuidePanel.tsx";
import { IconButton, Problem } from "./parts.tsx";
import { PickFiles } from "./SongHeader.tsx";
import { Labels } from "./Teach.tsx";

/** Names that can be asked for, of the chosen model or of all; those that were taught first. */
function vocabulary(): string[] {
  const asked = draft.value.model ? (model.value ? [model.value] : []) : models.value;
  return [...new Set([...asked.flatMap((one) => one.taught), ...asked.flatMap((one) => one.vocabulary)])];
}

export function Names() {
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
      <div class="row">
        <h2 class="grow">By name</h2>
        <PickFiles label="+ taught label" accept=".unbraid" onPick={(picked) => void addLabels(picked)} />
      </div>
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
          <Chips known={known} add={add} />
          {wrong && (
            <p class="problem" role="alert">
              {wrong}
            </p>
          )}
        </>
      )}
      <Labels />
      <Problem place="names" />
    </section>
  );
}

const FIRST_CHIPS = 8;
const MOST_CHIPS = 40;

function Chips({ known, add }: { known: readonly string[]; add: (name: string) => void }) {
  const [all, setAll] = useState(false);
  const left = known.filter((name) => !draft.value.names.includes(name) || ["speech", "sfx"].includes(name));
  return (
    <div class="row wrap names">
      {left.slice(0, all ? MOST_CHIPS : FIRST_CHIPS).map((name) => (
        <button key={name} class="chip quiet" onClick={() => add(name)}>
          + {name}
        </button>
      ))}
      {left.length > FIRST_CHIPS && (
        <button class="chip quiet" aria-expanded={all} onClick={() => setAll(!all)}>
          {all ? "fewer" : "more…"}
        </button>
      )}
      {!modelInfos.value.length && <span class="faint small">The models are being read…</span>}
    </div>
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
