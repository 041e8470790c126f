/** Which sources a model of priors listens for, and how long it may search. */

import { REST, searchWords, searching, sourceWords, takingPart, toggled } from "../domain/priors.ts";
import { draft, model, settle } from "./desk.ts";

export function Priors() {
  const taker = model.value!;
  const part = takingPart(taker, draft.value);
  const choose = (choice: { priors?: readonly string[]; search?: string }) => {
    const { priors: _, search: __, ...rest } = draft.value;
    draft.value = { ...rest, ...choice };
    settle("separate");
  };
  const { priors, search } = draft.value;
  const choice = { ...(priors ? { priors } : {}), ...(search ? { search } : {}) };
  return (
    <>
      {taker.priors.length > 0 && (
        <div class="priors" role="group" aria-label="Sources in the song">
          <p class="small">Sources in the song</p>
          <div class="row wrap names">
            {[...taker.priors, REST].map((name) => (
              <button
                key={name}
                class={`chip ${part.includes(name) ? "on" : "quiet"}`}
                aria-pressed={part.includes(name)}
                title={name === REST ? "What none of these sources explains" : undefined}
                onClick={() => choose(toggled(taker, choice, name))}
              >
                {sourceWords(name)}
              </button>
            ))}
          </div>
          <p class="faint small">
            All sound is shared among them: leave out what is not there, and add “anything else” for what has no name
            here.
          </p>
        </div>
      )}
      <label class="field inline">
        <span>Search</span>
        <select
          value={search ?? taker.searches[0]}
          onChange={(event) => choose(searching(taker, choice, event.currentTarget.value))}
        >
          {taker.searches.map((name) => (
            <option key={name} value={name}>
              {searchWords(name).name}
            </option>
          ))}
        </select>
      </label>
      <p class="faint small">{searchWords(search ?? taker.searches[0]!).tells}</p>
    </>
  );
}
