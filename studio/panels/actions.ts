/** What a person does that the server has to know of. */

import { batch } from "@preact/signals";
import * as api from "../api/client.ts";
import type { FileInfo, JobInfo, TakeInfo } from "../api/types.ts";
import { LOCAL } from "../audio/chunks.ts";
import { previewOf } from "../canvas/preview.ts";
import { requestOf } from "../domain/guides.ts";
import { priorSettings } from "../domain/priors.ts";
import { reopened } from "../domain/reopening.ts";
import { type Draft, type Upload, isEmpty, newTarget, obstacle, replaced, takerOf } from "../domain/request.ts";
import { arrived, compared } from "../domain/takes.ts";
import type { LessonSpec } from "../domain/teaching.ts";
import type { Region } from "../domain/transport.ts";
import {
  about,
  activeTarget,
  announcement,
  before,
  comparison,
  complain,
  draft,
  duration,
  files,
  labelsOf,
  layDown,
  localSong,
  mixtureHeard,
  modelInfos,
  models,
  playhead,
  region,
  sending,
  sessionId,
  settle,
  song,
  songId,
  view,
} from "./desk.ts";
import { layPicture, maskOf } from "./paintings.ts";
import { pictureOfSong } from "./pictures.ts";
import { chunks } from "./playback.ts";
import {
  ensureSession,
  forgetTake,
  isLabelFile,
  isSong,
  openSessionFile,
  showSong,
  takeFile,
  takeTake,
} from "./session.ts";

/** Taught labels were dropped or picked: they are names from now on. */
export async function addLabels(dropped: readonly File[]): Promise<void> {
  for (const file of dropped) await sendFile(file, file.name, "names");
}

/** Files were dropped or picked as songs: show the first at once, while it is on its way. */
export async function addSongs(dropped: readonly File[]): Promise<void> {
  settle("files");
  const sessionFiles = dropped.filter((file) => /\.(zip|unbraid-session)$/i.test(file.name));
  if (sessionFiles.length) return openSessionFile(sessionFiles[0]!);
  await addLabels(dropped.filter((file) => isLabelFile(file.name)));
  return addRecordings(dropped.filter((file) => !isLabelFile(file.name)));
}

async function addRecordings(dropped: readonly File[]): Promise<void> {
  const isFirst = songId.value === null;
  if (dropped[0] && isFirst) void showLocally(dropped[0]);
  for (const file of dropped) {
    const info = await sendFile(file, file.name, "files");
    if (info && isSong(info) && (songId.value === null || (!isFirst && file === dropped[dropped.length - 1])))
      showSong(info.id);
    if (info && !isSong(info))
      complain("files", `“${file.name}” is no recording: drop it on the sound that it points at, on the right.`);
  }
}

export async function openDemo(): Promise<void> {
  settle("files");
  try {
    const info = await api.addDemo(await ensureSession("Demo song"));
    takeFile(info);
    showSong(info.id);
  } catch (error) {
    complain("files", error);
  }
}

/** Send a file to the session; null where that failed, which is told at `place`. */
export async function sendFile(body: Blob, name: string, place: string): Promise<FileInfo | null> {
  const key = `${name}/${Math.random()}`;
  const tell = (progress: number) => {
    sending.value = [...sending.value.filter((one) => one.key !== key), { key, name, progress }];
  };
  try {
    tell(0);
    const info = await api.uploadFile(await ensureSession(name.replace(/\.[^.]*$/, "")), name, body, tell);
    takeFile(info);
    settle(place);
    return info;
  } catch (error) {
    complain(place, error);
    return null;
  } finally {
    sending.value = sending.value.filter((one) => one.key !== key);
  }
}

/** A recording for a guide. */
export async function sendUpload(body: Blob, name: string, place: string): Promise<Upload | null> {
  const info = await sendFile(body, name, place);
  return info ? { key: info.id, title: info.name } : null;
}

async function showLocally(file: File): Promise<void> {
  const preview = await previewOf(file);
  if (!preview || songId.value !== null || localSong.value) {
    if (preview && songId.value !== null && song.value?.name === file.name)
      pictureOfSong().offer(preview, songId.value);
    return;
  }
  const nSamples = preview.channels[0]!.length;
  const id = LOCAL;
  chunks.fill(id, preview.channels);
  batch(() => {
    localSong.value = { id, name: file.name, rate: preview.rate, nSamples, nChannels: preview.channels.length };
  });
  pictureOfSong().offer(preview, id);
}

export async function removeFile(id: string, place = `file:${id}`): Promise<void> {
  try {
    await api.deleteFile(id);
    files.value = files.value.filter((one) => one.id !== id);
    settle(place);
  } catch (error) {
    complain(place, error);
  }
}

/** Have a sound taught; its label is a name as soon as it is there. */
export async function teachLabel(lesson: LessonSpec): Promise<void> {
  try {
    takeFile(await api.addLesson(await ensureSession(lesson.name), lesson));
    settle("teach");
    announcement.value = `“${lesson.name}” is being taught.`;
  } catch (error) {
    complain("teach", error);
  }
}

const SHORT = 30; // seconds that are separated at once
const PART = 12;

/** What is separated first: the region, what is visible, or some seconds around the playhead; null: the whole song. */
export function firstRegion(): Region | null {
  if (region.value) return region.value;
  const whole = duration.value;
  if (whole <= SHORT) return null;
  const visible = view.value.width * view.value.secondsPerPixel;
  if (visible <= SHORT) return { start: view.value.start, stop: Math.min(whole, view.value.start + visible) };
  const start = Math.max(0, Math.min(whole - PART, playhead.value));
  return { start, stop: start + PART };
}

/**
 * Begin a take: a region first, then the whole song, or one of the two alone.
 *
 * `asked` is what is asked for: everything that was pointed at, or a part of it where no model takes it all.
 */
export async function separate(what: "region" | "whole" | "both", asked: Draft = draft.value): Promise<void> {
  settle("separate");
  const taker = takerOf(asked, models.value);
  const id = songId.value;
  if (!id || !sessionId.value)
    return complain("separate", "There is no song yet: drop one, or wait until it has been sent.");
  const wrong = obstacle(asked, models.value);
  if (wrong) return complain("separate", wrong);
  const broken = brokenFile(asked);
  if (broken) return complain("separate", `“${broken.name}” cannot be used: take it away. ${broken.error ?? ""}`);
  const first = what === "whole" ? null : firstRegion();
  try {
    const targets = requestOf(asked, taker, await sendMasks(asked), await labelKeys(asked.names, taker!.name));
    const made = await api.createTake(sessionId.value, {
      song: id,
      targets,
      model: taker!.name,
      settings: { ...asked.more, ...(taker!.draws ? asked.draws : {}), ...priorSettings(taker!, asked) },
      parent: comparison.value.current,
      ...(first ? { region: { start: first.start, stop: first.stop }, whole: what === "both" } : {}),
    });
    batch(() => {
      takeTake(made);
      comparison.value = arrived(comparison.value, made.id);
      before.value = null;
      mixtureHeard.value = false;
      announcement.value = "Separation has begun.";
    });
  } catch (error) {
    complain("separate", error);
  }
  return undefined;
}

/** A file among the guides that the server could not read. */
function brokenFile(asked: Draft): FileInfo | undefined {
  const keys = asked.targets.flatMap((one) => [
    ...[...one.positive, ...one.negative].flatMap((each) => (each.kind === "file" ? [each.upload.key] : [])),
    ...(one.melody ? [one.melody.upload.key] : []),
  ]);
  return files.value.find((file) => file.state === "failed" && keys.includes(file.id));
}

async function sendMasks(asked: Draft): Promise<Map<string, string>> {
  const keys = new Map<string, string>();
  for (const one of asked.targets) {
    if (!one.painted || isEmpty(one)) continue;
    const upload = await sendUpload(await maskOf(one.id), `${one.name || "mask"}.png`, "paint");
    if (!upload) throw new Error("The paint could not be sent: see the message at the brushes.");
    keys.set(one.id, upload.key);
  }
  return keys;
}

/** Files of the taught labels among names; those of the library become files of the session first. */
async function labelKeys(names: readonly string[], model: string): Promise<Map<string, string>> {
  const info = modelInfos.value.find((one) => one.name === model)!;
  const keys = new Map<string, string>();
  for (const name of names) {
    const label = labelsOf(info).find((one) => one.name === name && !info.vocabulary.includes(name));
    if (label) keys.set(name, label.key ?? (await takenOver(label)));
  }
  return keys;
}

const LOOK_AGAIN = 200; // milliseconds

async function takenOver(label: { name: string; model_sha256: string }): Promise<string> {
  const { name, model_sha256 } = label;
  let file = await api.addFromLibrary(sessionId.value!, { name, model_sha256 });
  while (file.state === "analyzing") {
    await new Promise((resolve) => window.setTimeout(resolve, LOOK_AGAIN));
    file = await api.getFile(file.id);
  }
  if (file.state === "failed") throw new Error(file.error ?? `“${name}” cannot be read: teach it again.`);
  return file.id;
}

export async function separateMore(takeId: string, part: Region | null): Promise<void> {
  try {
    await api.addJob(takeId, part ? { start: part.start, stop: part.stop } : null);
  } catch (error) {
    complain(`take:${takeId}`, error);
  }
}

export async function cancel(job: JobInfo): Promise<void> {
  try {
    await api.cancelJob(job.id);
  } catch (error) {
    complain(`take:${job.take}`, error);
  }
}

export async function removeTake(id: string): Promise<void> {
  try {
    await api.deleteTake(id);
    forgetTake(id);
  } catch (error) {
    complain(`take:${id}`, error);
  }
}

/** Work on a stem as a song of its own: take more out of the residual. */
export async function takeMoreOut(sound: string): Promise<void> {
  try {
    const info = await api.addFromSound(sessionId.value!, sound);
    takeFile(info);
    showSong(info.id);
  } catch (error) {
    complain("lanes", error);
  }
}

/** Lay the guides of a take on the desk again, in place of what lies there. */
export async function useGuidesAgain(take: TakeInfo, number: number): Promise<void> {
  const known = new Map(files.value.map((file) => [file.id, file]));
  const settings = Object.fromEntries(Object.entries(take.settings).filter((entry) => entry[1] !== null));
  const {
    draft: next,
    paint,
    left,
  } = reopened({ ...take, settings }, known, models.value, about.value?.tasks ?? {}, newTargetId);
  const without = left.length ? ` Without ${left.join("; ")}.` : "";
  layDown(next, next.targets[0]?.id ?? null, `The guides of take ${number} are here again.${without}`);
  settle("separate");
  for (const [id, key] of paint) {
    try {
      await layPicture(id, await api.getFileContent(key));
    } catch {
      complain("paint", `The paint of take ${number} cannot be shown as a picture: paint it again.`);
      draft.value = replaced(draft.value, id, (one) => ({ ...one, painted: false }));
    }
  }
}

let targetNumber = 0;

function newTargetId(): string {
  return `t${Date.now().toString(36)}${(targetNumber++).toString(36)}`;
}

/** The target that is pointed at now; one is made if there is none. */
export function ensureTarget(): string {
  const known = activeTarget.value && draft.value.targets.some((one) => one.id === activeTarget.value);
  return known ? activeTarget.value! : addTarget();
}

export function addTarget(): string {
  const id = newTargetId();
  draft.value = { ...draft.value, targets: [...draft.value.targets, newTarget(id)] };
  activeTarget.value = id;
  return id;
}

export function compareTake(id: string): void {
  comparison.value = compared(comparison.value, id);
}
