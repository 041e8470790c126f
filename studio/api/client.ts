/** The routes of the server, as functions. */

import type {
  About,
  FileInfo,
  LabelInfo,
  LessonRequest,
  ModelInfo,
  SessionInfo,
  SessionSummary,
  TakeCode,
  TakeInfo,
  TakeRequest,
} from "./types.ts";

/** What the server said is wrong, and what to do. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

async function answered(path: string, init: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, { credentials: "same-origin", ...init });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError(0, "The server cannot be reached: start it again with “unbraid studio”; nothing is lost.");
  }
  if (response.ok) return response;
  throw new ApiError(response.status, await messageOf(response));
}

async function messageOf(response: Response): Promise<string> {
  try {
    const body = (await response.json()) as { error?: { message?: string } };
    if (body.error?.message) return sentence(body.error.message);
  } catch {
    // Not JSON: the status must do.
  }
  return `The server answered ${response.status}: try again, or look at its log.`;
}

/** Begin with a capital, unless that would change the name of a file. */
function sentence(text: string): string {
  return /^[a-z]+ /.test(text) ? text.charAt(0).toUpperCase() + text.slice(1) : text;
}

async function json<T>(path: string, init?: RequestInit): Promise<T> {
  return (await (await answered(path, init)).json()) as T;
}

function sent(method: string, body: unknown): RequestInit {
  return kept(method, "application/json", JSON.stringify(body));
}

const KEPT_ALIVE = 50_000; // letters: browsers let 64 KiB go on when the page is closed

/** A body that arrives although the page is closed meanwhile, if it is short. */
function kept(method: string, type: string, body: string): RequestInit {
  return { method, headers: { "Content-Type": type }, body, keepalive: body.length < KEPT_ALIVE };
}

export const getAbout = () => json<About>("/api/about");
export const getModels = () => json<readonly ModelInfo[]>("/api/models");
export const getLabels = () => json<readonly LabelInfo[]>("/api/labels");
export const getSessions = () => json<readonly SessionSummary[]>("/api/sessions");
export const createSession = (title: string) => json<SessionInfo>("/api/sessions", sent("POST", { title }));
export const getSession = (id: string) => json<SessionInfo>(`/api/sessions/${id}`);
export const changeSession = (id: string, change: { title?: string; page?: unknown }) =>
  json<SessionInfo>(`/api/sessions/${id}`, sent("PATCH", change));
export const deleteSession = (id: string) => answered(`/api/sessions/${id}`, { method: "DELETE" });
export const addDemo = (session: string) => json<FileInfo>(`/api/sessions/${session}/demo`, { method: "POST" });
export const addFromSound = (session: string, sound: string) =>
  json<FileInfo>(`/api/sessions/${session}/files/from-sound`, sent("POST", { sound }));
export const addFromLibrary = (session: string, label: { name: string; model_sha256: string }) =>
  json<FileInfo>(`/api/sessions/${session}/files/from-library`, sent("POST", label));
export const addLesson = (session: string, lesson: LessonRequest) =>
  json<FileInfo>(`/api/sessions/${session}/files/taught`, sent("POST", lesson));
export const getFile = (id: string) => json<FileInfo>(`/api/files/${id}`);
export const deleteFile = (id: string) => answered(`/api/files/${id}`, { method: "DELETE" });
export const contentAddress = (file: string) => `/api/files/${file}/content`;
export const getFileContent = async (id: string) => (await answered(contentAddress(id))).arrayBuffer();

/** What was painted on a song, as it was kept; empty if nothing was. */
export const getPaint = async (song: string) => (await answered(`/api/files/${song}/paint`)).text();
export const putPaint = (song: string, text: string) =>
  answered(`/api/files/${song}/paint`, kept("PUT", "application/octet-stream", text));

export const createTake = (session: string, request: TakeRequest) =>
  json<TakeInfo>(`/api/sessions/${session}/takes`, sent("POST", request));
export const deleteTake = (id: string) => answered(`/api/takes/${id}`, { method: "DELETE" });
export const addJob = (take: string, region: { start: number; stop: number } | null) =>
  json<unknown>(`/api/takes/${take}/jobs`, sent("POST", region ? { region } : {}));
export const cancelJob = (id: string) => answered(`/api/jobs/${id}/cancel`, { method: "POST" });
export const getCode = (take: string) => json<TakeCode>(`/api/takes/${take}/code`);

export const importSession = (file: Blob) =>
  json<SessionInfo>("/api/sessions/import", {
    method: "POST",
    body: file,
    headers: { "Content-Type": "application/zip" },
  });

export const stemAddress = (job: string, index: number, format: string) =>
  `/api/jobs/${job}/stems/${index}?format=${format}`;
export const zipAddress = (job: string, format: string) => `/api/jobs/${job}/zip?format=${format}`;
export const stemMp4Address = (job: string) => `/api/jobs/${job}/stem-mp4`;
export const sessionAddress = (session: string) => `/api/sessions/${session}/export`;

/** A file that the server makes, and what it is called. */
export async function getDownload(address: string): Promise<{ blob: Blob; name: string }> {
  const response = await answered(address);
  const said = /filename\*=utf-8''([^;]+)/i.exec(response.headers.get("Content-Disposition") ?? "")?.[1];
  return { blob: await response.blob(), name: said ? decodeURIComponent(said) : "stem" };
}

/** Bytes of a tile, or null where there is nothing yet. */
export async function getTile(
  sound: string,
  what: "peaks" | "spectrogram",
  level: number,
  tile: number,
): Promise<Tile | null> {
  const response = await fetch(`/api/sounds/${sound}/${what}/${level}/${tile}`, { credentials: "same-origin" });
  if (response.status === 404) return null;
  if (!response.ok) throw new ApiError(response.status, await messageOf(response));
  const isFinal = (response.headers.get("Cache-Control") ?? "").includes("immutable");
  return { bytes: await response.arrayBuffer(), isFinal };
}

export interface Tile {
  readonly bytes: ArrayBuffer;
  readonly isFinal: boolean;
}

/** Samples of a sound, channels interleaved; null where they are not final yet. */
export async function getSamples(
  sound: string,
  start: number,
  stop: number,
): Promise<Float32Array<ArrayBuffer> | null> {
  const response = await fetch(`/api/sounds/${sound}/samples?start=${start}&stop=${stop}`, {
    credentials: "same-origin",
  });
  if (response.status === 404 || response.status === 416) return null;
  if (!response.ok) throw new ApiError(response.status, await messageOf(response));
  return new Float32Array(await response.arrayBuffer());
}

/** Send a file as it is, and tell how much of it has gone; `fetch` cannot tell. */
export function uploadFile(
  session: string,
  name: string,
  body: Blob,
  onProgress: (share: number) => void,
): Promise<FileInfo> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `/api/sessions/${session}/files?name=${encodeURIComponent(name)}`);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.responseType = "text";
    request.upload.onprogress = (event) => onProgress(event.lengthComputable ? event.loaded / event.total : 0);
    request.onerror = () => reject(new ApiError(0, `“${name}” could not be sent: is the server still running?`));
    request.onload = () => {
      if (request.status < 300) return resolve(JSON.parse(request.responseText) as FileInfo);
      void messageOf(new Response(request.responseText, { status: request.status })).then((message) =>
        reject(new ApiError(request.status, message)),
      );
      return undefined;
    };
    request.send(body);
  });
}
