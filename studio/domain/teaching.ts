/** From a sound that is pointed at with examples to a lesson: a name that it is asked for by from then on. */

import { type Model, listed } from "./models.ts";
import type { Recording, Target } from "./request.ts";

export interface ExampleSpec {
  readonly file: string;
  readonly start?: number;
  readonly stop?: number;
}

export interface LessonSpec {
  readonly name: string;
  readonly positive: readonly ExampleSpec[];
  readonly negative: readonly ExampleSpec[];
  readonly model: string;
}

/** The model that learns: the chosen one, else the first that listens, which is done at once. */
export function pupilOf(models: readonly Model[], chosen: string | null): Model | null {
  if (chosen !== null) return models.find((one) => one.name === chosen && one.learns) ?? null;
  return models.find((one) => one.learns === "listening") ?? models.find((one) => one.learns) ?? null;
}

/** What keeps a sound from being taught, in words and with a cure; null if nothing does. */
export function lessonObstacle(target: Target, name: string, pupil: Model | null): string | null {
  if (!pupil) return "This model cannot be taught names: choose another one above.";
  if (![...target.positive, ...target.spans.filter((one) => one.sounds)].length)
    return "Give an example first: a region of the song, or a file.";
  if (target.negative.length && pupil.learns === "listening" && !pupil.guides.includes("Negative"))
    return `${pupil.name} takes no examples of what the sound is not: remove them.`;
  if (!name.trim()) return "Give it a name.";
  if (/[/\\:*?"<>|]/.test(name)) return "A name is letters, digits, spaces, - and _.";
  const known = [...pupil.vocabulary, ...pupil.taught].find((one) => one.toLowerCase() === name.trim().toLowerCase());
  return known === undefined ? null : `${pupil.name} knows “${known}” already: give it another name.`;
}

/** `song` is the file that regions are cut from. */
export function lessonOf(target: Target, name: string, pupil: Model, song: string): LessonSpec {
  const example = (one: Recording): ExampleSpec =>
    one.kind === "file" ? { file: one.upload.key } : { file: song, start: one.start, stop: one.stop };
  const spans = (sounds: boolean) =>
    target.spans
      .filter((one) => one.sounds === sounds)
      .map(({ start, stop }): ExampleSpec => ({ file: song, start, stop }));
  const takesNegative = pupil.learns === "tuning" || pupil.guides.includes("Negative");
  return {
    name: name.trim(),
    positive: [...target.positive.map(example), ...spans(true)],
    negative: takesNegative ? [...target.negative.map(example), ...spans(false)] : [],
    model: pupil.name,
  };
}

export function pupilWords(pupil: Model): string {
  return pupil.learns === "listening"
    ? `${pupil.name} listens to the examples once.`
    : `${pupil.name} is tuned to the examples, which takes a few minutes.`;
}

/** What a lesson will hear: "2 examples, 1 of what it is not". */
export function lessonWords(lesson: LessonSpec): string {
  const one = `${lesson.positive.length} ${lesson.positive.length > 1 ? "examples" : "example"}`;
  return listed([one, ...(lesson.negative.length ? [`${lesson.negative.length} of what it is not`] : [])]);
}
