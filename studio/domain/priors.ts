/** Models that are put together of priors, one for each source: which of them take part, and how they search. */

import type { Model } from "./models.ts";

/** What the priors that take part leave, as a source of its own. */
export const REST = "residual";

/** What is chosen; what is left out is as usual: all priors, nothing beside them, the first search. */
export interface PriorChoice {
  readonly priors?: readonly string[];
  readonly search?: string;
}

/** The sources that take part, in the order of the model; the rest last. */
export function takingPart(model: Model, choice: PriorChoice): readonly string[] {
  const { priors } = choice;
  return priors ? [...model.priors, REST].filter((name) => priors.includes(name)) : model.priors;
}

/** Let a source take part, or leave it out. */
export function toggled(model: Model, choice: PriorChoice, name: string): PriorChoice {
  const now = takingPart(model, choice);
  const wanted = now.includes(name) ? now.filter((one) => one !== name) : [...now, name];
  const { priors: _, ...rest } = choice;
  const isUsual = wanted.length === model.priors.length && !wanted.includes(REST);
  return isUsual ? rest : { ...rest, priors: takingPart(model, { priors: wanted }) };
}

export function searching(model: Model, choice: PriorChoice, search: string): PriorChoice {
  const { search: _, ...rest } = choice;
  return search === model.searches[0] ? rest : { ...rest, search };
}

/** What keeps these from separating, in words and with a cure; null if nothing does. */
export function priorObstacle(model: Model, choice: PriorChoice, names: readonly string[]): string | null {
  if (!choice.priors || !model.priors.length) return null;
  const part = takingPart(model, choice);
  const missing = names.find((name) => model.priors.includes(name) && !part.includes(name));
  if (missing !== undefined) return `“${missing}” is asked for, and left out of the sources: let it take part.`;
  if (part.filter((name) => name !== REST).length === 0) return "No source takes part: choose two or more of them.";
  if (part.length < 2)
    return `“${part[0]}” alone would take the whole song for its own: let another source, or anything else, take part.`;
  return null;
}

/** What a model is asked with: nothing of priors where it has none. */
export function priorSettings(model: Model, choice: PriorChoice): PriorChoice {
  return {
    ...(choice.priors && model.priors.length ? { priors: takingPart(model, choice) } : {}),
    ...(choice.search && model.searches.includes(choice.search) ? { search: choice.search } : {}),
  };
}

/** What a take was asked with, in a few words. */
export function priorWords(choice: { priors?: readonly string[] | null; search?: string | null }): string {
  const parts = [];
  if (choice.priors) parts.push(`of ${choice.priors.map(sourceWords).join(", ")}`);
  if (choice.search) parts.push(searchWords(choice.search).name.toLowerCase());
  return parts.join(", ");
}

export function sourceWords(name: string): string {
  return name === REST ? "anything else" : name;
}

/** Times are of four small priors on two idle cores (docs/models.md). */
const SEARCHES: Record<string, { name: string; tells: string }> = {
  default: { name: "Careful", tells: "The best that it does; about twice as long as the song lasts." },
  curvature: { name: "Faster", tells: "Two thirds of the song’s length; vocals and drums are a little less clean." },
  quick: { name: "Quick", tells: "A third of the song’s length, to hear soon what to expect." },
  mle: { name: "As published, likelihood", tells: "The paper’s own search; slower than the careful one." },
  map: { name: "As published, posterior", tells: "The paper’s own search, held to what the priors expect; slow." },
  "map-latent": { name: "As in the published demonstration", tells: "Held to what the priors expect; slow." },
  "mle-slow": { name: "As in the published script", tells: "Small steps, and twice as many; the slowest." },
};

export function searchWords(search: string): { name: string; tells: string } {
  return SEARCHES[search] ?? { name: search, tells: "" };
}
