/** Which model takes what a person points with. */

/** Kinds of guide; examples of what a sound is not are a kind of their own: not every model that takes examples does. */
export type Kind = "Label" | "Prompts" | "Examples" | "Negative" | "Span" | "Mimicry" | "Score" | "Mask";

export interface Model {
  readonly name: string;
  /** Kinds of guide that it takes. */
  readonly guides: readonly string[];
  /** Prompts or labels that it knows. */
  readonly vocabulary: readonly string[];
  /** Labels that it was taught. */
  readonly taught: readonly string[];
  readonly summary: string;
  readonly ships: boolean;
  /** Whether it can be taught labels: by listening to examples, or by being tuned to them; null if it cannot. */
  readonly learns: "listening" | "tuning" | null;
  /** Whether it draws at random: another seed gives another answer. */
  readonly draws: boolean;
  /** Sources that it has priors of; empty if it is not put together of priors. */
  readonly priors: readonly string[];
  /** Ways to search with them, the usual one first. */
  readonly searches: readonly string[];
}

const WORDS: Record<Kind, string> = {
  Label: "names",
  Prompts: "prompts",
  Examples: "examples",
  Negative: "examples of what it is not",
  Span: "spans",
  Mimicry: "a hum",
  Score: "a MIDI file",
  Mask: "paint",
};

/** Kinds in words: "a hum and paint". */
export function kindWords(kinds: readonly Kind[]): string {
  return listed([...new Set(kinds.map((kind) => WORDS[kind]))]);
}

export function listed(words: readonly string[], joint = "and"): string {
  if (words.length < 2) return words.join("");
  return `${words.slice(0, -1).join(", ")} ${joint} ${words[words.length - 1]}`;
}

/** Spans are cut out of the song as examples where a model has no better use for them. */
export function accepts(model: Model, kind: Kind): boolean {
  return model.guides.includes(kind) || (kind === "Span" && model.guides.includes("Examples"));
}

/** The models that can be asked now, take all of these, and know these names. */
export function takers(models: readonly Model[], kinds: readonly Kind[], names: readonly string[] = []): Model[] {
  return models.filter(
    (model) =>
      model.ships &&
      kinds.every((kind) => accepts(model, kind)) &&
      names.every((name) => model.vocabulary.includes(name) || model.taught.includes(name)),
  );
}

/** The first model of the list that takes these; null if none takes them all. */
export function chosenFor(
  models: readonly Model[],
  kinds: readonly Kind[],
  names: readonly string[] = [],
): Model | null {
  return takers(models, kinds, names)[0] ?? null;
}

/** Why a model does not offer a kind, and which one does. */
export function refusal(model: Model, kind: Kind, models: readonly Model[]): string {
  const others = takers(models, [kind]).map((one) => one.name);
  const cure = others.length
    ? `${listed(others, "or")} ${others.length > 1 ? "do" : "does"}.`
    : "No installed model does.";
  return `${model.name} does not take ${WORDS[kind]}. ${cure}`;
}

/** What to do if no model takes everything that was pointed with; null if one does. */
export function conflict(
  models: readonly Model[],
  kinds: readonly Kind[],
  names: readonly string[] = [],
): string | null {
  if (takers(models, kinds, names).length) return null;
  const asked = [...new Set(kinds)];
  if (asked.length === 1 && asked[0] === "Label")
    return `No model knows ${listed(names.map((name) => `“${name}”`))} together: remove one of them, or point at it.`;
  const parts = asked.map((kind) => {
    const one = takers(models, [kind], kind === "Label" ? names : [])[0];
    return one ? `${WORDS[kind]} (${one.name})` : `${WORDS[kind]} (no model)`;
  });
  return `No model takes ${listed(parts)} together. Remove one of them, and ask for it in a take of its own.`;
}

/** Names that a person may type, best matches first. */
export function suggestions(typed: string, names: readonly string[], most = 8): string[] {
  const text = typed.trim().toLowerCase();
  const rank = (name: string) => {
    const lower = name.toLowerCase();
    if (!text || lower.startsWith(text)) return 0;
    if (lower.split(/[\s-]/).some((word) => word.startsWith(text))) return 1;
    return lower.includes(text) ? 2 : 3;
  };
  return names
    .map((name, index) => ({ name, index, rank: rank(name) }))
    .filter((one) => one.rank < 3)
    .sort((a, b) => a.rank - b.rank || a.index - b.index)
    .slice(0, most)
    .map((one) => one.name);
}

/** Shortcuts for prompts that belong together. */
export const TASKS: readonly { name: string; words: string; prompts: readonly string[] }[] = [
  { name: "music", words: "Music: vocals, drums, bass, other", prompts: ["vocals", "drums", "bass", "other"] },
  { name: "cinema", words: "Film: speech, music, effects", prompts: ["speech", "music-mix", "sfx-mix"] },
  { name: "enhance", words: "Clean speech", prompts: ["speech", "sfx-mix"] },
  { name: "speakers=2", words: "Two speakers", prompts: ["speech", "speech", "sfx-mix"] },
  { name: "events=2", words: "Two sound effects", prompts: ["sfx", "sfx"] },
];

const WHOLE: Record<string, readonly string[]> = {
  "sfx-mix": ["sfx"],
  "music-mix": ["drums", "bass", "vocals", "other"],
};

/** What is wrong with prompts that claim the same sound twice; null if nothing is. */
export function contradiction(prompts: readonly string[]): string | null {
  for (const [whole, parts] of Object.entries(WHOLE)) {
    const part = prompts.includes(whole) ? parts.find((one) => prompts.includes(one)) : undefined;
    if (part) return `“${whole}” already contains every “${part}”: remove one of the two.`;
    if (prompts.filter((one) => one === whole).length > 1) return `“${whole}” is all there is of it: ask for it once.`;
  }
  return null;
}
