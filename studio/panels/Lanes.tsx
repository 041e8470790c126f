/** Stems and residual, in step with the song. */

import { useEffect, useRef } from "preact/hooks";
import { coverage } from "../audio/player.ts";
import { drawOnFrames } from "../canvas/frames.ts";
import { watch } from "../canvas/gestures.ts";
import { drawWave } from "../canvas/sound_picture.ts";
import { sized } from "../canvas/theme.ts";
import { presenceWords } from "../domain/takes.ts";
import { pixelOf, stopOf } from "../domain/time.ts";
import { takeMoreOut } from "./actions.ts";
import { NEW_LANE, duration, heardTake, laneSpectrograms, laneStates, mixtureHeard, theme, view } from "./desk.ts";
import { Fader, IconButton, Problem } from "./parts.tsx";
import { arrivals, pictureOf } from "./pictures.ts";
import { type Lane, laneState, lanes } from "./playback.ts";
import { surface } from "./scene_state.ts";

export function setLane(name: string, change: Partial<typeof NEW_LANE>): void {
  laneStates.value = new Map(laneStates.value).set(name, { ...laneState(name), ...change });
  mixtureHeard.value = false;
}

export function Lanes() {
  return (
    <>
      {lanes.value.map((lane) => (
        <LaneRow key={lane.id} lane={lane} />
      ))}
      <div class="gutter gutter-problems">
        <Problem place="lanes" />
      </div>
      <div class="lane-rest">{!lanes.value.length && <Empty />}</div>
    </>
  );
}

function Empty() {
  if (duration.value <= 0) return null;
  return <p class="faint hint">{hint()}</p>;
}

function hint(): string {
  const take = heardTake.value;
  if (!take) return "Point at a sound, then separate: the stems and what is left appear here.";
  if (take.jobs.some((job) => job.state === "waiting" || job.state === "running")) {
    return "The stems appear here as soon as the first of them is there.";
  }
  return "This take ended before there was a stem: separate again.";
}

function LaneRow({ lane }: { lane: Lane }) {
  const state = laneState(lane.name);
  const shown = laneSpectrograms.value.has(lane.name);
  const toggle = () => {
    const next = new Set(laneSpectrograms.value);
    if (!next.delete(lane.name)) next.add(lane.name);
    laneSpectrograms.value = next;
  };
  const final = lane.segments[lane.segments.length - 1]!;
  const isFinal = lane.jobs[lane.jobs.length - 1]?.state === "done";
  return (
    <>
      <div class={`gutter header lane ${shown ? "tall" : ""}`} role="group" aria-label={`Lane ${lane.name}`}>
        <div class="row">
          <strong class="clip grow" title={lane.name}>
            {lane.isResidual ? "residual" : lane.name}
          </strong>
          <IconButton label={`Spectrogram of ${lane.name}`} icon="spectrum" pressed={shown} onClick={toggle} />
          {lane.isResidual && isFinal && (
            <IconButton
              label="Take more out of the residual"
              icon="more"
              onClick={() => void takeMoreOut(final.sound.id)}
            />
          )}
        </div>
        <div class="row">
          <button
            class={`chip letter ${state.mute ? "on" : ""}`}
            aria-pressed={state.mute}
            aria-label={`Mute ${lane.name}`}
            title="Mute"
            onClick={() => setLane(lane.name, { mute: !state.mute })}
          >
            M
          </button>
          <button
            class={`chip letter ${state.solo ? "on solo" : ""}`}
            aria-pressed={state.solo}
            aria-label={`Solo ${lane.name}`}
            title="Solo"
            onClick={() => setLane(lane.name, { solo: !state.solo })}
          >
            S
          </button>
          <Fader
            label={`Gain of ${lane.name}`}
            value={state.gainDb}
            onChange={(gainDb) => setLane(lane.name, { gainDb })}
          />
        </div>
        <Presence value={lane.presence} />
      </div>
      <LanePicture name={lane.name} id={lane.id} tall={shown} />
    </>
  );
}

/** Always as high, so that nothing moves when it becomes known. */
function Presence({ value }: { value: number | null }) {
  const words = value === null ? "not known" : presenceWords(value);
  return (
    <div
      class="presence"
      role="img"
      aria-label={`Presence: ${words}`}
      title={`Presence, how sure the model is that the sound is there: ${words}`}
    >
      <i style={{ width: `${Math.round((value ?? 0) * 100)}%` }} />
    </div>
  );
}

function LanePicture({ id, name, tall }: { id: string; name: string; tall: boolean }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const element = canvas.current!;
    const stop = drawOnFrames(() => {
      void arrivals.value;
      const lane = lanes.value.find((one) => one.id === id);
      if (lane) drawLane(element, lane, laneSpectrograms.value.has(name));
    });
    const quiet = watch(element, surface, null);
    return () => {
      stop();
      quiet();
    };
  }, [id, name, tall]);
  return (
    <canvas
      ref={canvas}
      class={`wave lane ${tall ? "tall" : ""}`}
      role="img"
      aria-label={`${tall ? "Spectrogram" : "Waveform"} of ${name}`}
    />
  );
}

function drawLane(element: HTMLCanvasElement, lane: Lane, asSpectrogram: boolean): void {
  const shown = view.value;
  const height = element.clientHeight;
  const look = theme.value;
  const context = sized(element, shown.width, height);
  context.clearRect(0, 0, shown.width, height);
  const isSilent = mixtureHeard.value || laneState(lane.name).mute;
  for (const { segment, from, to } of coverage(lane.segments, shown.start, stopOf(shown))) {
    const picture = pictureOf(segment.sound);
    context.save();
    context.beginPath();
    context.rect(pixelOf(shown, from), 0, pixelOf(shown, to) - pixelOf(shown, from), height);
    context.clip();
    if (asSpectrogram) picture.drawSpectrogram(context, shown, height, segment.start, look);
    else drawWave(context, picture.pixels(shown, segment.start), height, isSilent ? look.waveMuted : look.wave);
    context.restore();
  }
}
