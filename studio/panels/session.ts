/** The session that is open: what is in it, what changes in it, and what of the desk is kept with it. */

import { batch, effect } from "@preact/signals";
import * as api from "../api/client.ts";
import { listen } from "../api/events.ts";
import type { FileInfo, JobInfo, SessionInfo, TakeInfo } from "../api/types.ts";
import { readMidi } from "../domain/midi.ts";
import { type Draft, NO_DRAFT } from "../domain/request.ts";
import { NOTHING, arrived, without } from "../domain/takes.ts";
import {
  about,
  activeTarget,
  announcement,
  before,
  comparison,
  complain,
  connected,
  draft,
  duration,
  files,
  libraryLabels,
  localSong,
  midiTracks,
  modelInfos,
  strokes,
  playhead,
  region,
  sessionId,
  sessionTitle,
  sessions,
  settle,
  songId,
  takes,
} from "./desk.ts";
import { forgetPaintings, loadPaint, paintText } from "./paintings.ts";
import { player } from "./playback.ts";

const REMEMBERED = "unbraid.session";
let stopListening = () => {};
let isLoaded = false;

/** Read what there is, and open the session that was open last. */
export async function begin(): Promise<void> {
  try {
    const [said, listed, known, taught] = await Promise.all([
      api.getAbout(),
      api.getModels(),
      api.getSessions(),
      api.getLabels(),
    ]);
    batch(() => {
      libraryLabels.value = taught;
      about.value = said;
      modelInfos.value = listed;
      sessions.value = known;
    });
    const wanted = location.hash.slice(1) || localStorage.getItem(REMEMBERED);
    if (wanted && known.some((one) => one.id === wanted)) await openSession(wanted);
    settle("server");
  } catch (error) {
    complain("server", error);
    if (isUnreachable(error)) window.setTimeout(() => void begin(), TRY_AGAIN);
  }
}

const TRY_AGAIN = 3000; // milliseconds

function isUnreachable(error: unknown): boolean {
  return error instanceof api.ApiError && error.status === 0;
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
    connected: (is) => {
      const isBack = is && !connected.value;
      connected.value = is;
      if (!isBack) return;
      settle("server");
      void Promise.all([savePage(), savePaint()]); // what changed in between
    },
  });
}

/** Put everything away; what is on the server stays there. */
function leave(): void {
  stopListening();
  isLoaded = false;
  player.pause();
  void savePaint();
  forgetPaintings();
  paintedSong = null;
  batch(() => {
    files.value = [];
    takes.value = [];
    draft.value = NO_DRAFT;
    activeTarget.value = null;
    before.value = null;
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

export async function ensureSession(title: string): Promise<string> {
  if (!sessionId.value) {
    making ??= api
      .createSession(title)
      .then(settleIn)
      .finally(() => (making = null));
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
  const page = one.page as { song?: string; desks?: Record<string, SongDesk>; take?: string };
  desks = new Map(Object.entries(page.desks ?? {}));
  const first = one.files.find((file) => file.id === page.song) ?? one.files.find(isSong);
  if (first) showSong(first.id);
  const latest =
    one.takes.find((each) => each.id === page.take) ?? one.takes.findLast((each) => each.song === first?.id);
  if (latest) comparison.value = arrived(NOTHING, latest.id);
  for (const file of one.files) if (file.kind === "midi") void readNotes(file.id);
}

/** What was pointed at in a song, while another one is worked on. */
interface SongDesk {
  readonly draft: Draft;
}
let desks = new Map<string, SongDesk>();

function putAside(): void {
  if (songId.value) desks.set(songId.value, { draft: draft.value });
  void savePaint();
}

/** Keep what is on the desk with the session, a moment after it changed. */
export function keepPage(): void {
  let timer = 0;
  const save = () => {
    window.clearTimeout(timer);
    if (isLoaded) void Promise.all([savePage(), savePaint()]);
  };
  effect(() => {
    void [songId.value, draft.value, comparison.value, strokes.value];
    if (!sessionId.value || !isLoaded) return;
    window.clearTimeout(timer);
    timer = window.setTimeout(save, SAVE_AFTER + sentLetters / LETTERS_A_MILLISECOND);
  });
  document.addEventListener("visibilitychange", () => document.visibilityState === "hidden" && save());
}

const SAVE_AFTER = 900; // milliseconds
const LETTERS_A_MILLISECOND = 1000; // much paint is sent less often
/** The song whose paint lies on the easels, all of it. */
let paintedSong: string | null = null;
let sentMark = "";
let sentLetters = 0;
let sendingPaint: Promise<unknown> = Promise.resolve();

/** Tells one state of the paint on the desk from all others. */
function paintMark(): string {
  return [strokes.value, ...targetIds()].join();
}

function targetIds(): string[] {
  return draft.value.targets.map((one) => one.id);
}

/** Keep the paint with its song, if it has changed. */
function savePaint(): Promise<unknown> {
  const id = paintedSong;
  if (!id || sentMark === paintMark()) return sendingPaint;
  sentMark = paintMark();
  const text = paintText(targetIds());
  sentLetters = text.length;
  sendingPaint = sendingPaint
    .then(() => api.putPaint(id, text))
    .catch((error: unknown) => {
      sentMark = "";
      complain(isUnreachable(error) ? "server" : "paint", error);
    });
  return sendingPaint;
}

/** Paint what was kept of a song's paint. */
async function readPaint(id: string): Promise<void> {
  try {
    const text = await api.getPaint(id);
    if (songId.value !== id || (text && duration.value <= 0)) return;
    const isUntouched = sentMark === paintMark();
    if (text) loadPaint(text);
    sentLetters = text.length;
    if (isUntouched) sentMark = paintMark();
    paintedSong = id;
  } catch (error) {
    complain("paint", error);
  }
}

async function savePage(): Promise<void> {
  const id = sessionId.value;
  if (!id) return;
  if (songId.value) desks.set(songId.value, { draft: draft.value });
  const page = { song: songId.value, take: comparison.value.current, desks: Object.fromEntries(desks) };
  try {
    await api.changeSession(id, { page });
  } catch (error) {
    complain("server", error);
  }
}

export function takeFile(file: FileInfo): void {
  const before = files.value.find((one) => one.id === file.id);
  if (before?.state === "teaching" && file.label)
    announcement.value = `“${file.label.name}” is taught: ask for it by its name.`;
  files.value = before ? files.value.map((one) => (one.id === file.id ? file : one)) : [...files.value, file];
  if (file.state === "failed" && file.error && file.kind !== "label")
    complain(isLabelFile(file.name) ? "names" : `file:${file.id}`, file.error);
}

/** Whether a file is called as what `unbraid teach` writes. */
export function isLabelFile(name: string): boolean {
  return /\.unbraid$/i.test(name);
}

export function takeTake(one: TakeInfo): void {
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
    if (job.state === "done")
      announcement.value = job.region ? "The region is separated." : "The whole song is separated.";
    if (job.state === "failed") announcement.value = `Separation failed: ${job.error ?? ""}`;
  }
}

/** Whether a file can be a song; what it is, the server knows only when it has looked. */
export function isSong(file: FileInfo): boolean {
  return (
    file.kind === "audio" || (file.kind === null && !/\.(mid|midi|kar|png|npy|npz|json|unbraid)$/i.test(file.name))
  );
}

/** Make a file the song that is worked on, with all that was pointed at in it before. */
export function showSong(id: string): void {
  const file = files.value.find((one) => one.id === id);
  if (!file || songId.value === id) return;
  const isSame = songId.value === null && localSong.value?.name === file.name; // it was shown before the server had it
  putAside();
  paintedSong = null;
  batch(() => {
    songId.value = id;
    settle("play");
    if (!isSame) {
      layOut(id);
      sentMark = paintMark();
    }
    const latest = takes.value.findLast((one) => one.song === id);
    comparison.value = latest ? arrived(NOTHING, latest.id) : NOTHING;
  });
  void readPaint(id);
}

function layOut(id: string): void {
  localSong.value = null;
  region.value = null;
  before.value = null;
  playhead.value = 0;
  player.seek(0);
  forgetPaintings();
  const known = desks.get(id);
  draft.value = known?.draft ?? { ...NO_DRAFT, model: draft.value.model };
  activeTarget.value = draft.value.targets[0]?.id ?? null;
}

export function forgetTake(id: string): void {
  takes.value = takes.value.filter((one) => one.id !== id);
  comparison.value = without(comparison.value, id);
}

export async function readNotes(id: string): Promise<void> {
  try {
    midiTracks.value = new Map(midiTracks.value).set(id, readMidi(await api.getFileContent(id)));
  } catch (error) {
    complain("melody", error);
  }
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
