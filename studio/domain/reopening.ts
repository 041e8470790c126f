/** From a take back to what was pointed at: its guides lie on the desk again, to be changed and asked for anew. */

import type { GuideSpec, RecordingSpec, RequestItem } from "./guides.ts";
import type { Model } from "./models.ts";
import { type Draft, type DrawSetting, type Recording, type Target, newTarget } from "./request.ts";

/** Guides that scripts send, and this page does not. */
type Foreign =
  | { kind: "task"; task: string }
  | {
      kind: "mask";
      positive?: string | null;
      negative?: string | null;
      shapes?: unknown;
      soft?: boolean;
    };
type AnySpec = Exclude<GuideSpec, { kind: "mask" }> | Foreign;

export interface TakeToReopen {
  readonly targets: readonly unknown[];
  readonly model: string;
  readonly settings: Readonly<Record<string, unknown>>;
}

export interface KnownFile {
  readonly name: string;
  readonly duration: number | null;
}

export interface Reopened {
  readonly draft: Draft;
  /** Files of paint, by the target that they belong to. */
  readonly paint: ReadonlyMap<string, string>;
  /** What could not be taken over, in words. */
  readonly left: readonly string[];
}

const DRAWS: readonly string[] = ["seed", "steps", "candidates"] satisfies DrawSetting[];

/**
 * Lay the guides of a take on the desk.
 *
 * `models` are those that can be asked now; `tasks` are the prompts of each task, as the server tells them; `newId` makes
 * the id of another target.
 */
export function reopened(
  take: TakeToReopen,
  files: ReadonlyMap<string, KnownFile>,
  models: readonly Model[],
  tasks: Readonly<Record<string, readonly string[]>>,
  newId: () => string,
): Reopened {
  const names: string[] = [];
  const targets: Target[] = [];
  const left: string[] = [];
  const paint = new Map<string, string>();
  for (const item of take.targets as readonly (RequestItem | AnySpec)[]) {
    const named = "guides" in item ? null : namesOf(item as AnySpec, tasks);
    if (named) {
      names.push(...named);
      continue;
    }
    const own = "guides" in item ? { name: item.name, guides: item.guides } : { name: "", guides: [item] };
    const work = { target: newTarget(newId(), own.name), paint, files, left };
    for (const guide of own.guides as readonly AnySpec[]) work.target = withGuide(work, guide);
    targets.push(work.target);
  }
  const isThere = models.some((one) => one.name === take.model);
  if (!isThere) left.push(`its model, ${take.model}, is not offered here: another one is chosen by the guides`);
  return { draft: { names, targets, model: isThere ? take.model : null, ...settingsOf(take.settings) }, paint, left };
}

function namesOf(spec: AnySpec, tasks: Readonly<Record<string, readonly string[]>>): readonly string[] | null {
  if (spec.kind === "label" || spec.kind === "taught") return [spec.name];
  if (spec.kind === "prompts") return spec.names;
  if (spec.kind !== "task") return null;
  const [task, count] = spec.task.split("=");
  if (count === undefined) return tasks[spec.task] ?? [];
  const [repeated, ...rest] = tasks[`${task}=N`] ?? [];
  return repeated === undefined ? [] : [...Array<string>(Number(count)).fill(repeated), ...rest];
}

interface Laying {
  target: Target;
  readonly paint: Map<string, string>;
  readonly files: ReadonlyMap<string, KnownFile>;
  readonly left: string[];
}

function withGuide({ target, paint, files, left }: Laying, guide: AnySpec): Target {
  const upload = (key: string) => ({ key, title: files.get(key)?.name ?? "file" });
  const recording = (one: RecordingSpec): Recording =>
    "file" in one ? { kind: "file", upload: upload(one.file) } : { kind: "span", ...one };
  const title = target.name || "a sound";
  switch (guide.kind) {
    case "examples":
      return {
        ...target,
        positive: [...target.positive, ...guide.positive.map(recording)],
        negative: [...target.negative, ...guide.negative.map(recording)],
      };
    case "span": {
      const { start, stop, sounds } = guide;
      return { ...target, spans: [...target.spans, { start, stop, sounds }] };
    }
    case "mimicry": {
      const seconds = files.get(guide.file)?.duration;
      const hum = { kind: "hum", upload: upload(guide.file), offset: guide.offset } as const;
      return { ...target, melody: seconds ? { ...hum, seconds } : hum };
    }
    case "score": {
      const track = typeof guide.track === "number" ? guide.track : null;
      if (guide.track !== null && track === null) left.push(`the track of “${title}”, which is told by its name`);
      return { ...target, melody: { kind: "score", upload: upload(guide.file), offset: guide.offset, track } };
    }
    case "mask":
      if (guide.negative || guide.shapes || guide.soft === false)
        left.push(`the mask of “${title}” beyond one picture of both sides`);
      if (!guide.positive) return target;
      paint.set(target.id, guide.positive);
      return { ...target, painted: true };
    default:
      left.push(`the name that joins other guides in “${title}”`);
      return target;
  }
}

function settingsOf(settings: Readonly<Record<string, unknown>>): Omit<Draft, "names" | "targets" | "model"> {
  const { priors, search, ...others } = settings;
  const given = Object.entries(others).filter(
    (entry): entry is [string, string | number] => typeof entry[1] === "number" || typeof entry[1] === "string",
  );
  const draws = Object.fromEntries(given.filter(([name]) => DRAWS.includes(name)));
  const more = Object.fromEntries(given.filter(([name]) => !DRAWS.includes(name)));
  return {
    ...(Object.keys(draws).length ? { draws } : {}),
    ...(Object.keys(more).length ? { more } : {}),
    ...(Array.isArray(priors) ? { priors: priors as string[] } : {}),
    ...(typeof search === "string" ? { search } : {}),
  };
}
