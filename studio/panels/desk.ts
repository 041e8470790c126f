/** What lies on the desk: the state of the page, in signals that the panels watch. */

import { batch, computed, signal } from "@preact/signals";
import type { About, FileInfo, LabelInfo, ModelInfo, SessionSummary, TakeInfo } from "../api/types.ts";
import type { MidiTrack } from "../domain/midi.ts";
import { type Kind, type Model, accepts } from "../domain/models.ts";
import { type Draft, NO_DRAFT, type Target, takerOf } from "../domain/request.ts";
import { type Comparison, NOTHING, heard } from "../domain/takes.ts";
import { type Viewport, fitAll } from "../domain/time.ts";
import type { LaneState, Region } from "../domain/transport.ts";
import { DARK, LIGHT, type Theme } from "../canvas/theme.ts";

export const about = signal<About | null>(null);
export const modelInfos = signal<readonly ModelInfo[]>([]);
/** Taught labels in the library of whoever runs the server. */
export const libraryLabels = signal<readonly LabelInfo[]>([]);
export const sessions = signal<readonly SessionSummary[]>([]);
export const sessionId = signal<string | null>(null);
export const sessionTitle = signal("");
export const connected = signal(true);

export const files = signal<readonly FileInfo[]>([]);
export const takes = signal<readonly TakeInfo[]>([]);

/** A file on its way to the server. */
export interface Sending {
  readonly key: string;
  readonly name: string;
  readonly progress: number;
}
export const sending = signal<readonly Sending[]>([]);

export const songId = signal<string | null>(null);
/** A song that can be seen and heard here before the server has it. */
export const localSong = signal<{ id: string; name: string; rate: number; nSamples: number; nChannels: number } | null>(
  null,
);
export const view = signal<Viewport>(fitAll(1, 800));
export const region = signal<Region | null>(null);
export const looping = signal(false);
export const playing = signal(false);
/** Follows the player while it plays; changes at every frame. */
export const playhead = signal(0);

export const draft = signal<Draft>(NO_DRAFT);
export const activeTarget = signal<string | null>(null);
/** What lay on the desk before something else took its place; it can be put back. */
export const before = signal<{ words: string; draft: Draft; target: string | null } | null>(null);
export const midiTracks = signal<ReadonlyMap<string, readonly MidiTrack[]>>(new Map());

export type Tool = "select" | "brush" | "harmonics" | "rectangle" | "lasso" | "eraser";
export const tool = signal<Tool>("select");
export const paintSign = signal<1 | -1>(1);
export const brushSize = signal(24);
export const brushSoftness = signal(0.4);
export const brushConfidence = signal(1);
/** Counts changes of any painting, so that what shows them is drawn anew. */
export const paintVersion = signal(0);
/** Counts strokes that are complete: what is slower to tell than paint is to draw waits for that. */
export const strokes = signal(0);

export const comparison = signal<Comparison>(NOTHING);
export const mixtureHeard = signal(false);
export const laneStates = signal<ReadonlyMap<string, LaneState>>(new Map());
export const laneSpectrograms = signal<ReadonlySet<string>>(new Set());
export const songLane = signal<LaneState>({ mute: false, solo: false, gainDb: 0 });
export const NEW_LANE: LaneState = { mute: false, solo: false, gainDb: 0 };

/** What went wrong, by the place where it is told. */
export const problems = signal<ReadonlyMap<string, string>>(new Map());
/** Told to screen readers. */
export const announcement = signal("");
export const helpOpen = signal(false);
/** The menu that lies over the page; Escape and a click elsewhere close it. */
export const menu = signal<"sessions" | "songs" | null>(null);

export function complain(place: string, error: unknown): void {
  const text = error instanceof Error ? error.message : String(error);
  problems.value = new Map(problems.value).set(place, text);
}

export function settle(place: string): void {
  if (!problems.value.has(place)) return;
  const rest = new Map(problems.value);
  rest.delete(place);
  problems.value = rest;
}

export const themeChoice = signal<"dark" | "light" | "system">("system");
export const systemIsDark = signal(window.matchMedia("(prefers-color-scheme: dark)").matches);
export const theme = computed<Theme>(() => {
  const isDark = themeChoice.value === "system" ? systemIsDark.value : themeChoice.value === "dark";
  return isDark ? DARK : LIGHT;
});

export const song = computed<FileInfo | null>(() => files.value.find((file) => file.id === songId.value) ?? null);
/** Length and shape of the song, from the server or from this browser. */
export const songShape = computed(() => {
  const file = song.value;
  if (file?.n_samples && file.sample_rate && file.n_channels) {
    return {
      id: file.id,
      rate: file.sample_rate,
      nSamples: file.n_samples,
      nChannels: file.n_channels,
      finalSamples: file.final_samples ?? 0,
    };
  }
  const local = localSong.value;
  return local ? { ...local, finalSamples: local.nSamples } : null;
});
export const duration = computed(() => (songShape.value ? songShape.value.nSamples / songShape.value.rate : 0));
export const songName = computed(() => song.value?.name ?? localSong.value?.name ?? "");

/** Taught labels at hand: those of the session by their file, and those that it could take over from the library. */
export const labels = computed<readonly (LabelInfo & { key: string | null })[]>(() => [
  ...files.value.flatMap((file) => (file.label ? [{ ...file.label, key: file.id }] : [])),
  ...libraryLabels.value.map((label) => ({ ...label, key: null })),
]);

export const models = computed<Model[]>(() =>
  modelInfos.value.map((info) => ({
    name: info.name,
    guides: info.takes_negatives ? [...info.guides, "Negative"] : info.guides,
    vocabulary: info.vocabulary,
    taught: labelsOf(info)
      .map((label) => label.name)
      .filter((name, index, all) => all.indexOf(name) === index && !info.vocabulary.includes(name)),
    summary: info.summary,
    ships: true,
    learns: info.model_sha256 ? (info.listens ? "listening" : "tuning") : null,
    draws: info.draws,
    priors: info.priors,
    searches: info.searches,
  })),
);

/** The taught labels that fit a model. */
export function labelsOf(info: ModelInfo): readonly (LabelInfo & { key: string | null })[] {
  return labels.value.filter((label) => label.model_sha256 === info.model_sha256);
}

/** The model that is asked, or would be: null while none takes everything. */
export const model = computed<Model | null>(() => takerOf(draft.value, models.value));
/** Whether a kind of guide can be given now: the chosen model takes it, or none is chosen. */
export function offers(kind: Kind): boolean {
  return draft.value.model === null || (model.value !== null && accepts(model.value, kind));
}

/** Lay something else on the desk, in a way that can be taken back. */
export function layDown(next: Draft, target: string | null, words: string): void {
  batch(() => {
    before.value = { words, draft: draft.value, target: activeTarget.value };
    draft.value = next;
    activeTarget.value = target;
    announcement.value = words;
  });
}

export function putBack(): void {
  const kept = before.value;
  if (!kept) return;
  batch(() => {
    draft.value = kept.draft;
    activeTarget.value = kept.target;
    before.value = null;
    announcement.value = "It is as it was before.";
  });
}

export const target = computed<Target | null>(
  () => draft.value.targets.find((one) => one.id === activeTarget.value) ?? null,
);

export const heardTake = computed<TakeInfo | null>(
  () => takes.value.find((one) => one.id === heard(comparison.value)) ?? null,
);
export const songTakes = computed(() => takes.value.filter((one) => one.song === songId.value));
