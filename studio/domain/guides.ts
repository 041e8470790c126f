/** From what a person pointed at to the JSON form of guides that the server reads. */

import type { Model } from "./models.ts";
import { type Draft, type Recording, type Target, isEmpty, titleOf } from "./request.ts";

export type RecordingSpec = { file: string } | { start: number; stop: number };

export type GuideSpec =
  | { kind: "label"; name: string }
  | { kind: "taught"; name: string; file: string }
  | { kind: "prompts"; names: string[] }
  | { kind: "examples"; positive: RecordingSpec[]; negative: RecordingSpec[] }
  | { kind: "span"; start: number; stop: number; sounds: boolean }
  | { kind: "mimicry"; file: string; offset: number | null }
  | { kind: "score"; file: string; track: number | null; offset: number | null }
  | { kind: "mask"; positive: string };

export interface TargetSpec {
  name: string;
  guides: GuideSpec[];
}

export type RequestItem = TargetSpec | GuideSpec;

/**
 * The targets of a request, in order: names first, then what was pointed at.
 *
 * `masks` tells under which key the painting of a target was uploaded, and `labels` the file of a name that was taught.
 * Names become prompts where the model takes prompts (or none is chosen, and the server chooses), labels otherwise.
 */
export function requestOf(
  draft: Draft,
  model: Model | null,
  masks: ReadonlyMap<string, string>,
  labels: ReadonlyMap<string, string> = new Map(),
): RequestItem[] {
  const items: RequestItem[] = [];
  const asPrompts =
    model !== null && model.guides.includes("Prompts") && draft.names.every((name) => model.vocabulary.includes(name));
  if (draft.names.length && asPrompts) items.push({ kind: "prompts", names: [...draft.names] });
  else
    items.push(
      ...draft.names.map((name): GuideSpec => {
        const file = labels.get(name);
        return file === undefined ? { kind: "label", name } : { kind: "taught", name, file };
      }),
    );
  for (const target of draft.targets) {
    if (!isEmpty(target)) items.push({ name: titleOf(target), guides: guidesOf(target, masks.get(target.id) ?? null) });
  }
  return items;
}

export function guidesOf(target: Target, maskKey: string | null): GuideSpec[] {
  const guides: GuideSpec[] = [];
  const spans = target.spans.map(({ start, stop, sounds }) => ({ start: rounded(start), stop: rounded(stop), sounds }));
  if (target.positive.length || target.negative.length) {
    // An example of what a sound is not needs one of what it is: spans are both, and join the recordings.
    guides.push({
      kind: "examples",
      positive: [...target.positive.map(recordingOf), ...spans.filter((one) => one.sounds).map(passage)],
      negative: [...target.negative.map(recordingOf), ...spans.filter((one) => !one.sounds).map(passage)],
    });
  } else {
    guides.push(...spans.map((span) => ({ kind: "span", ...span }) as const));
  }
  if (target.melody) {
    const { upload, offset } = target.melody;
    const at = offset === null ? null : rounded(offset);
    if (target.melody.kind === "hum") guides.push({ kind: "mimicry", file: upload.key, offset: at });
    else guides.push({ kind: "score", file: upload.key, track: target.melody.track, offset: at });
  }
  if (target.painted && maskKey) guides.push({ kind: "mask", positive: maskKey });
  return guides;
}

function recordingOf(recording: Recording): RecordingSpec {
  return recording.kind === "file" ? { file: recording.upload.key } : passage(recording);
}

function passage({ start, stop }: { start: number; stop: number }): RecordingSpec {
  return { start: rounded(start), stop: rounded(stop) };
}

/** Seconds to a tenth of a millisecond: what a person can point at, and short to read. */
function rounded(seconds: number): number {
  return Math.round(seconds * 1e4) / 1e4;
}
