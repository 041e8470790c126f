/** What a person does that the server has to know of. */

import { batch, effect } from "@preact/signals";
import * as api from "../api/client.ts";
import { listen } from "../api/events.ts";
import type { FileInfo, JobInfo, SessionInfo, TakeInfo } from "../api/types.ts";
import { LOCAL } from "../audio/chunks.ts";
import { previewOf } from "../canvas/preview.ts";
import { requestOf } from "../domain/guides.ts";
import { conflict } from "../domain/models.ts";
import { readMidi } from "../domain/midi.ts";
import { type Draft, NO_DRAFT, type Upload, isEmpty, missing, neededKinds, newTarget } from "../domain/request.ts";
import type { Command } from "../domain/strokes.ts";
import { NOTHING, arrived, compared, without } from "../domain/takes.ts";
import type { Region } from "../domain/transport.ts";
import {
  about, activeTarget, announcement, comparison, complain, connected, draft, duration, files, localSong, midiTracks, mixtureHeard, model, modelInfos,
  models, paintVersion, playhead, region, sending, sessionId, sessionTitle, sessions, settle, song, songId, takes, view,
} from "./desk.ts";
import { forgetPaintings, loadCommands, maskOf, paintCommands } from "./paintings.ts";
import { pictureOfSong } from "./pictures.ts";
import { chunks, player } from "./playback.ts";

const REMEMBERED = "unbraid.session";
const MOST_KEPT = 240 * 1024;
let stopListening = () => {};
let isLoaded = false;

/** Read what there is, and open the session that was open last. */
export async function begin(): Promise<void> {
  try {
    const [said, listed, known] = await Promise.all([api.getAbout(), api.getModels(), api.getSessions()]);
    batch(() => {
      about.value = said;
      modelInfos.value = listed;
      sessions.value = known;
    });
    const wanted = location.hash.slice(1) || localStorage.getItem(REMEMBERED);
    if (wanted && known.some((one) => one.id === wanted)) await openSession(wanted);
    settle("server");
  } catch (error) {
    complain("server", error);
  }
}

export async function openSession(id: string): Promise<void> {
  const found = await api.getSession(id);
  leave();
  settleIn(found);
}

function settleIn(session: SessionInfo): void {
  const { id } = session;
  batch(() => {
    sessionId.value = id;
    history.replaceState(null, "", `#${id}`);
    localStorage.setItem(REMEMBERED, id);
    take(session);
    restore(session);
  });
  isLoaded = true;
  stopListening = listen(id, {
    snapshot: take,
    session: (one) => (sessionTitle.value = one.title),
    file: takeFile,
    take: takeTake,
    job: takeJob,
    gone: ({ kind, id: gone }) => {
      if (kind === "file") files.value = files.value.filter((one) => one.id !== gone);
      if (kind === "take") forgetTake(gone);
    },
    connected: (is) => (connected.value = is),
  });
}

/** Put everything away; what is on the server stays there. */
function leave(): void {
  stopListening();
  isLoaded = false;
  player.pause();
  forgetPaintings();
  batch(() => {
    files.value = [];
    takes.value = [];
    draft.value = NO_DRAFT;
    activeTarget.value = null;
    comparison.value = NOTHING;
    region.value = null;
    localSong.value = null;
    songId.value = null;
    playhead.value = 0;
  });
}

export async function newSession(): Promise<void> {
  leave();
  sessionId.value = null;
  sessionTitle.value = "";
  localStorage.removeItem(REMEMBERED);
  history.replaceState(null, "", location.pathname);
  sessions.value = await api.getSessions();
}

let making: Promise<void> | null = null;

async function session(title: string): Promise<string> {
  if (!sessionId.value) {
    making ??= api.createSession(title).then(settleIn).finally(() => (making = null));
    await making; // one session for several files that are dropped together
  }
  return sessionId.value!;
}

function take(one: SessionInfo): void {
  batch(() => {
    sessionTitle.value = one.title;
    files.value = one.files;
    takes.value = one.takes;
  });
}

function restore(one: SessionInfo): void {
  const page = (one.page ?? {}) as { song?: string; draft?: Draft; paint?: Record<string, Command[]>; take?: string };
  const first = one.files.find((file) => file.id === page.song) ?? one.files.find(isSong);
  if (first) showSong(first.id);
  if (page.draft) draft.value = page.draft;
  activeTarget.value = draft.value.targets[0]?.id ?? null;
  if (page.paint && duration.value > 0) loadCommands(page.paint);
  const latest = one.takes.find((each) => each.id === page.take) ?? one.takes.findLast((each) => each.song === first?.id);
  if (latest) comparison.value = arrived(NOTHING, latest.id);
  for (const file of one.files) if (file.kind === "midi") void readNotes(file.id);
}

/** Keep what is on the desk with the session, a moment after it changed. */
export function keepPage(): void {
  let timer = 0;
  effect(() => {
    const page = { song: songId.value, draft: draft.value, take: comparison.value.current };
    void paintVersion.value;
    if (!sessionId.value || !isLoaded) return;
    window.clearTimeout(timer);
    timer = window.setTimeout(() => void savePage(page), 900);
  });
}

async function savePage(page: object): Promise<void> {
  const id = sessionId.value;
  if (!id) return;
  const whole = { ...page, paint: paintCommands() };
  const body = JSON.stringify(whole).length > MOST_KEPT ? page : whole;
  try {
    if (body === page) complain("paint", "There is more paint than is kept with the session: it stays in this page and in your takes.");
    await api.changeSession(id, { page: body });
  } catch (error) {
    complain("server", error);
  }
}

function takeFile(file: FileInfo): void {
  const known = files.value.some((one) => one.id === file.id);
  files.value = known ? files.value.map((one) => (one.id === file.id ? file : one)) : [...files.value, file];
  if (file.state === "failed" && file.error) complain(`file:${file.id}`, file.error);
}

function takeTake(one: TakeInfo): void {
  const known = takes.value.some((other) => other.id === one.id);
  takes.value = known ? takes.value.map((other) => (other.id === one.id ? one : other)) : [...takes.value, one];
}

function takeJob(job: JobInfo): void {
  const before = takes.value.flatMap((one) => one.jobs).find((one) => one.id === job.id);
  takes.value = takes.value.map((one) => {
    if (one.id !== job.take) return one;
    const known = one.jobs.some((other) => other.id === job.id);
    return { ...one, jobs: known ? one.jobs.map((other) => (other.id === job.id ? job : other)) : [...one.jobs, job] };
  });
  if (before && before.state !== job.state) {
    if (job.state === "done") announcement.value = job.region ? "The region is separated." : "The whole song is separated.";
    if (job.state === "failed") announcement.value = `Separation failed: ${job.error ?? ""}`;
  }
}

/** Files were dropped or picked as songs: show the first at once, while it is on its way. */
export async function addSongs(dropped: readonly File[]): Promise<void> {
  settle("files");
  const sessionFiles = dropped.filter((file) => /\.(zip|unbraid-session)$/i.test(file.name));
  if (sessionFiles.length) return openSessionFile(sessionFiles[0]!);
  const isFirst = songId.value === null;
  if (dropped[0] && isFirst) void showLocally(dropped[0]);
  for (const file of dropped) {
    const info = await sendFile(file, file.name, "files");
    if (info && isSong(info) && (songId.value === null || (!isFirst && file === dropped[dropped.length - 1]))) showSong(info.id);
    if (info && !isSong(info)) complain("files", `“${file.name}” is no recording: drop it on the sound that it points at, on the right.`);
  }
  return undefined;
}

/** Whether a file can be a song; what it is, the server knows only when it has looked. */
export function isSong(file: FileInfo): boolean {
  return file.kind === "audio" || (file.kind === null && !/\.(mid|midi|kar|png|npy|npz|json)$/i.test(file.name));
}

export async function openSessionFile(file: File): Promise<void> {
  try {
    const opened = await api.importSession(file);
    sessions.value = await api.getSessions();
    await openSession(opened.id);
  } catch (error) {
    complain("files", error);
  }
}

export async function openDemo(): Promise<void> {
  settle("files");
  try {
    const info = await api.addDemo(await session("Demo song"));
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
    const info = await api.uploadFile(await session(name.replace(/\.[^.]*$/, "")), name, body, tell);
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
    if (preview && songId.value !== null && song.value?.name === file.name) pictureOfSong().offer(preview, songId.value);
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

/** Make a file the song that is worked on. */
export function showSong(id: string): void {
  const file = files.value.find((one) => one.id === id);
  if (!file || songId.value === id) return;
  batch(() => {
    songId.value = id;
    settle("play");
    if (localSong.value?.name !== file.name) {
      localSong.value = null;
      region.value = null;
      playhead.value = 0;
      player.seek(0);
      forgetPaintings();
      draft.value = { ...NO_DRAFT, model: draft.value.model };
    }
    const latest = takes.value.findLast((one) => one.song === id);
    comparison.value = latest ? arrived(NOTHING, latest.id) : NOTHING;
  });
}

export async function removeFile(id: string): Promise<void> {
  try {
    await api.deleteFile(id);
    files.value = files.value.filter((one) => one.id !== id);
    settle(`file:${id}`);
  } catch (error) {
    complain(`file:${id}`, error);
  }
}

export async function readNotes(id: string): Promise<void> {
  try {
    midiTracks.value = new Map(midiTracks.value).set(id, readMidi(await api.getFileContent(id)));
  } catch (error) {
    complain("melody", error);
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

/** Begin a take: a region first, then the whole song, or one of the two alone. */
export async function separate(what: "region" | "whole" | "both"): Promise<void> {
  settle("separate");
  const id = songId.value;
  if (!id || !sessionId.value) return complain("separate", "There is no song yet: drop one, or wait until it has been sent.");
  const wrong = missing(draft.value, model.value) ?? (model.value ? null : conflict(models.value, neededKinds(draft.value)));
  if (wrong) return complain("separate", wrong);
  const first = what === "whole" ? null : firstRegion();
  try {
    const targets = requestOf(draft.value, model.value, await sendMasks());
    const made = await api.createTake(sessionId.value, {
      song: id,
      targets,
      model: draft.value.model,
      parent: comparison.value.current,
      ...(first ? { region: { start: first.start, stop: first.stop }, whole: what === "both" } : {}),
    });
    batch(() => {
      takeTake(made);
      comparison.value = arrived(comparison.value, made.id);
      mixtureHeard.value = false;
      announcement.value = "Separation has begun.";
    });
  } catch (error) {
    complain("separate", error);
  }
  return undefined;
}

async function sendMasks(): Promise<Map<string, string>> {
  const keys = new Map<string, string>();
  for (const one of draft.value.targets) {
    if (!one.painted || isEmpty(one)) continue;
    const upload = await sendUpload(await maskOf(one.id), `${one.name || "mask"}.png`, "paint");
    if (!upload) throw new Error("The paint could not be sent: see the message at the brushes.");
    keys.set(one.id, upload.key);
  }
  return keys;
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

function forgetTake(id: string): void {
  takes.value = takes.value.filter((one) => one.id !== id);
  comparison.value = without(comparison.value, id);
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

export async function renameSession(title: string): Promise<void> {
  if (!sessionId.value || !title.trim()) return;
  try {
    await api.changeSession(sessionId.value, { title: title.trim() });
    sessionTitle.value = title.trim();
  } catch (error) {
    complain("server", error);
  }
}

export async function removeSession(id: string): Promise<void> {
  try {
    await api.deleteSession(id);
    sessions.value = sessions.value.filter((one) => one.id !== id);
  } catch (error) {
    complain("server", error);
  }
}

let targetNumber = 0;

/** The target that is pointed at now; one is made if there is none. */
export function ensureTarget(): string {
  const known = activeTarget.value && draft.value.targets.some((one) => one.id === activeTarget.value);
  return known ? activeTarget.value! : addTarget();
}

export function addTarget(): string {
  const id = `t${Date.now().toString(36)}${(targetNumber++).toString(36)}`;
  draft.value = { ...draft.value, targets: [...draft.value.targets, newTarget(id)] };
  activeTarget.value = id;
  return id;
}

export function compareTake(id: string): void {
  comparison.value = compared(comparison.value, id);
}
