/** The player of the page, and which lanes it plays. */

import { computed, effect } from "@preact/signals";
import type { JobInfo, TakeInfo } from "../api/types.ts";
import { Chunks, type SoundShape } from "../audio/chunks.ts";
import { Player, type PlayerLane, type Segment } from "../audio/player.ts";
import { Recorder } from "../audio/recorder.ts";
import { heard } from "../domain/takes.ts";
import { fitAll, following } from "../domain/time.ts";
import { heardGain } from "../domain/transport.ts";
import {
  NEW_LANE,
  comparison,
  complain,
  duration,
  laneStates,
  looping,
  mixtureHeard,
  playhead,
  playing,
  region,
  settle,
  songLane,
  songName,
  songShape,
  takes,
  view,
} from "./desk.ts";

export const chunks = new Chunks();
export const player = new Player(chunks);
export const recorder = new Recorder(player);

export interface Lane {
  readonly id: string;
  readonly take: string;
  readonly name: string;
  readonly isResidual: boolean;
  readonly presence: number | null;
  readonly segments: readonly Segment[];
  /** The sound that the lane is drawn from, wherever it reaches. */
  readonly jobs: readonly JobInfo[];
  readonly index: number;
}

/** The stems of a take: those of its region first, over which those of the whole song come. */
export function lanesOf(take: TakeInfo, shape: { rate: number; nChannels: number }): Lane[] {
  const jobs = take.jobs.filter((job) => job.stems.length > 0 && job.state !== "failed");
  const ordered = [...jobs.filter((job) => job.region), ...jobs.filter((job) => !job.region)];
  const names = ordered[ordered.length - 1]?.stems ?? [];
  return names.map((stem, index) => ({
    id: `${take.id}/${index}`,
    take: take.id,
    name: stem.name,
    isResidual: index === names.length - 1,
    presence: ordered.map((job) => job.stems[index]?.presence ?? null).findLast((one) => one !== null) ?? null,
    segments: ordered.filter((job) => job.stems[index]).map((job) => segmentOf(job, index, shape)),
    jobs: ordered,
    index,
  }));
}

function segmentOf(job: JobInfo, index: number, shape: { rate: number; nChannels: number }): Segment {
  const nSamples = Math.round(job.stop * shape.rate) - Math.round(job.start * shape.rate);
  const sound: SoundShape = {
    id: job.stems[index]!.sound,
    rate: shape.rate,
    nChannels: shape.nChannels,
    nSamples,
    finalSamples: job.final_samples,
  };
  return { sound, start: Math.round(job.start * shape.rate) / shape.rate };
}

/** Lanes of the take that is heard. */
export const lanes = computed<Lane[]>(() => {
  const take = takes.value.find((one) => one.id === heard(comparison.value));
  return take && songShape.value ? lanesOf(take, songShape.value) : [];
});

export function laneState(name: string) {
  return laneStates.value.get(name) ?? NEW_LANE;
}

function playerLanes(): PlayerLane[] {
  const shape = songShape.value;
  if (!shape) return [];
  const heardId = heard(comparison.value);
  const shown = [comparison.value.current, comparison.value.other];
  const stems = takes.value.filter((take) => shown.includes(take.id)).flatMap((take) => lanesOf(take, shape));
  const own = stems.filter((lane) => lane.take === heardId);
  const isMixture =
    mixtureHeard.value || own.every((lane) => lane.segments.every((segment) => segment.sound.finalSamples === 0));
  const states = own.map((lane) => laneState(lane.name));
  const songGain = isMixture ? heardGain(songLane.value, [songLane.value]) : 0;
  return [
    { id: "song", segments: [{ sound: shape, start: 0 }], gain: songGain },
    ...stems.map((lane) => ({
      id: lane.id,
      segments: lane.segments,
      gain: !isMixture && lane.take === heardId ? heardGain(laneState(lane.name), states) : 0,
    })),
  ];
}

/** Show the whole of a song once its length is known. */
function fitNewSongs(): void {
  let fitted = "";
  effect(() => {
    const name = songName.value;
    const length = duration.value;
    if (!length || fitted === `${name}/${length.toFixed(1)}`) return;
    fitted = `${name}/${length.toFixed(1)}`;
    view.value = fitAll(length, view.peek().width);
  });
}

export function startPlayback(): void {
  fitNewSongs();
  effect(() => {
    const shape = songShape.value;
    if (shape) player.open(shape.rate, duration.value);
  });
  effect(() => player.setLanes(playerLanes()));
  effect(() => player.setLoop(looping.value ? region.value : null));
  player.onChange = () => {
    playing.value = player.playing;
    playhead.value = player.position();
    if (player.playing) requestAnimationFrame(follow);
  };
  chunks.onError = (error) => complain("play", error);
}

function follow(): void {
  playhead.value = player.position();
  const turned = following(view.value, playhead.value, duration.value);
  if (turned && player.playing) view.value = turned;
  if (player.playing) requestAnimationFrame(follow);
}

export async function togglePlay(): Promise<void> {
  if (player.playing) return player.pause();
  settle("play");
  try {
    await player.play();
  } catch (error) {
    complain("play", error);
  }
}

export function seek(seconds: number): void {
  player.seek(seconds);
  playhead.value = Math.min(duration.value, Math.max(0, seconds));
}
