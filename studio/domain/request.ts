/** What a person has pointed at so far: names, and targets with guides. Plain values that are never changed. */

import { clock } from "./time.ts";
import { type Kind, type Model, accepts, chosenFor, conflict, refusal } from "./models.ts";
import { type PriorChoice, priorObstacle } from "./priors.ts";

/** Something that was uploaded, by the key under which the server knows it. */
export interface Upload {
  readonly key: string;
  readonly title: string;
}

export type Recording =
  | { readonly kind: "file"; readonly upload: Upload }
  | { readonly kind: "span"; readonly start: number; readonly stop: number };

export type Melody =
  | { readonly kind: "hum"; readonly upload: Upload; readonly offset: number | null; readonly seconds?: number }
  | { readonly kind: "score"; readonly upload: Upload; readonly offset: number | null; readonly track: number | null };

export interface SpanMark {
  readonly start: number;
  readonly stop: number;
  readonly sounds: boolean;
}

export interface Target {
  readonly id: string;
  /** As the stem shall be called; empty: after its first guide. */
  readonly name: string;
  readonly positive: readonly Recording[];
  readonly negative: readonly Recording[];
  readonly spans: readonly SpanMark[];
  readonly melody: Melody | null;
  /** Whether its painting has paint; the painting itself lies elsewhere. */
  readonly painted: boolean;
}

export interface Draft extends PriorChoice {
  /** Names from a vocabulary, each a target of its own; the same name may stand several times. */
  readonly names: readonly string[];
  readonly targets: readonly Target[];
  /** Null: chosen by the guides. */
  readonly model: string | null;
  /** Of models that draw at random: those that differ from what is usual. */
  readonly draws?: Readonly<Partial<Record<DrawSetting, number>>>;
  /** Other settings, of a take that is asked for again. */
  readonly more?: Readonly<Record<string, string | number>>;
}

export type DrawSetting = "seed" | "steps" | "candidates";

export const NO_DRAFT: Draft = { names: [], targets: [], model: null };

export function newTarget(id: string, name = ""): Target {
  return { id, name, positive: [], negative: [], spans: [], melody: null, painted: false };
}

export function isEmpty(target: Target): boolean {
  return kindsOf(target).length === 0;
}

/** The kinds of guide that a target is pointed at with. */
export function kindsOf(target: Target): Kind[] {
  const kinds: Kind[] = [];
  if (target.positive.length || target.negative.length) kinds.push("Examples");
  if (target.negative.length || target.spans.some((one) => !one.sounds)) kinds.push("Negative");
  if (target.spans.length) kinds.push("Span");
  if (target.melody) kinds.push(target.melody.kind === "hum" ? "Mimicry" : "Score");
  if (target.painted) kinds.push("Mask");
  return kinds;
}

/** The kinds that a whole draft needs; names are prompts if any model takes them so, else labels. */
export function neededKinds(draft: Draft): Kind[] {
  const kinds = new Set<Kind>(draft.targets.flatMap(kindsOf));
  if (draft.names.length) kinds.add("Label");
  return [...kinds];
}

/** What a stem is called: as asked, or after its first guide. */
export function titleOf(target: Target): string {
  if (target.name.trim()) return target.name.trim();
  for (const one of target.positive) return one.kind === "file" ? stemOf(one.upload.title) : spanTitle(one);
  if (target.melody) return stemOf(target.melody.upload.title);
  for (const one of target.spans) if (one.sounds) return spanTitle(one);
  return target.painted ? "painted" : "sound";
}

export function spanTitle(span: { start: number; stop: number }): string {
  return `${clock(span.start, 1)}–${clock(span.stop, 1)}`;
}

function stemOf(file: string): string {
  return file.replace(/\.[^.]*$/, "") || file;
}

export function replaced(draft: Draft, id: string, change: (target: Target) => Target): Draft {
  return { ...draft, targets: draft.targets.map((target) => (target.id === id ? change(target) : target)) };
}

/** The model that a draft is for: the one that was chosen, or the first that takes everything. */
export function takerOf(draft: Draft, models: readonly Model[]): Model | null {
  return models.find((one) => one.name === draft.model) ?? chosenFor(models, neededKinds(draft), draft.names);
}

/** What keeps a draft from being separated, in words and with a cure; null if nothing does. */
export function obstacle(draft: Draft, models: readonly Model[]): string | null {
  const model = takerOf(draft, models);
  const wrong = missing(draft);
  if (wrong) return wrong;
  if (!model) return conflict(models, neededKinds(draft), draft.names);
  const foreign = neededKinds(draft).find((kind) => !accepts(model, kind));
  if (foreign) return `${refusal(model, foreign, models)} Choose it above, or take that guide away.`;
  const unknown = unknownNames(draft, model)[0];
  if (unknown !== undefined) return `${model.name} does not know “${unknown}”: remove it, or choose another model.`;
  return priorObstacle(model, draft, draft.names);
}

/** What is not said yet, or says only what the sound is not. */
export function missing(draft: Draft): string | null {
  if (!draft.names.length && draft.targets.every(isEmpty)) {
    return "Nothing is asked for yet: choose a name, or point at a sound with a region, a hum or paint.";
  }
  for (const target of draft.targets.filter((one) => !isEmpty(one))) {
    const pointing =
      target.positive.length || target.melody || target.painted || target.spans.some((one) => one.sounds);
    if (!pointing) return `“${titleOf(target)}” says only what the sound is not: add an example of what it is, too.`;
    if (target.negative.length && !target.positive.length && !target.spans.some((one) => one.sounds)) {
      return `“${titleOf(target)}” has an example of what it is not, and none of what it is: add one.`;
    }
  }
  return null;
}

/** Names that a model does not know. */
export function unknownNames(draft: Draft, model: Model): string[] {
  if (!accepts(model, "Label")) return [];
  const known = [...model.vocabulary, ...model.taught];
  return draft.names.filter((name) => !known.includes(name));
}
