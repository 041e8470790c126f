/** A hum that is recorded or dropped, or a MIDI file. */

import { signal } from "@preact/signals";
import type { Hum } from "../audio/recorder.ts";
import { type Melody, type Target, type Upload } from "../domain/request.ts";
import { clock, readClock } from "../domain/time.ts";
import { sendUpload } from "./actions.ts";
import { readNotes } from "./session.ts";
import { complain, duration, midiTracks, offers, playhead, region, settle } from "./desk.ts";
import { DropZone, IconButton, Problem } from "./parts.tsx";
import { recorder } from "./playback.ts";
import { PickFiles } from "./SongHeader.tsx";
import { change, Guide } from "./TargetCard.tsx";

interface HumTake extends Hum {
  readonly title: string;
  readonly upload: Upload | null;
}

const state = signal<"idle" | "starting" | "recording">("idle");
const level = signal(0);
const humTakes = signal<readonly HumTake[]>([]);
const beats = signal(4);
const perMinute = signal(100);
const late = signal(Number(localStorage.getItem("unbraid.late") ?? 0)); // milliseconds
const QUIET_DB = -45;

export async function toggleRecording(): Promise<void> {
  if (state.value === "starting" || !offers("Mimicry") || duration.value <= 0) return;
  if (state.value === "recording") return finish();
  settle("melody");
  state.value = "starting";
  recorder.onLevel = (now) => (level.value = now);
  try {
    const position = region.value?.start ?? playhead.value;
    await recorder.start({ position, beats: beats.value, perMinute: perMinute.value, manual: late.value / 1000 });
    state.value = "recording";
  } catch (error) {
    complain("melody", error);
    state.value = "idle";
  }
}

async function finish(): Promise<void> {
  state.value = "idle";
  const hum = recorder.stop();
  level.value = 0;
  if (!hum || hum.seconds < 0.3)
    return complain("melody", "Nothing was recorded: hum for a second or longer after the count-in.");
  const title = `hum ${humTakes.value.length + 1}`;
  if (hum.peak < QUIET_DB)
    complain(
      "melody",
      `“${title}” is very quiet (${Math.round(hum.peak)} dB): come closer to the microphone, or choose another one.`,
    );
  const upload = await sendUpload(hum.wav, `${title}.wav`, "melody");
  const one: HumTake = { ...hum, title, upload };
  humTakes.value = [...humTakes.value, one];
  if (upload) useHum(one);
  return undefined;
}

function useHum(one: HumTake): void {
  if (one.upload)
    change((target) => ({
      ...target,
      melody: { kind: "hum", upload: one.upload!, offset: one.offset, seconds: one.seconds },
    }));
}

async function dropped(picked: readonly File[]): Promise<void> {
  const file = picked[0];
  if (!file) return;
  const upload = await sendUpload(file, file.name, "melody");
  if (!upload) return;
  const isMidi = /\.(mid|midi|kar)$/i.test(file.name);
  const offset = isMidi ? 0 : (region.value?.start ?? 0);
  const melody: Melody = isMidi ? { kind: "score", upload, offset, track: null } : { kind: "hum", upload, offset };
  change((target) => ({ ...target, melody }));
  if (isMidi) {
    await readNotes(upload.key);
    const tracks = (midiTracks.value.get(upload.key) ?? []).filter((track) => !track.isDrum);
    if (tracks.length > 1)
      change((target) => ({
        ...target,
        melody: { ...(melody as Melody & { kind: "score" }), track: tracks[0]!.number },
      }));
  }
}

export function MelodyGuide({ target }: { target: Target | null }) {
  const melody = target?.melody ?? null;
  const recording = state.value === "recording";
  return (
    <Guide kind="Mimicry" title="Hum or MIDI" count={melody ? 1 : 0}>
      <DropZone words="Drop a hum or a MIDI file" onDrop={(picked) => void dropped(picked)}>
        <div class="row wrap">
          <button
            class={`chip record ${recording ? "on" : ""}`}
            disabled={duration.value <= 0}
            aria-pressed={recording}
            onClick={() => void toggleRecording()}
            title={`From ${clock(region.value?.start ?? playhead.value, 1)} on (M)`}
          >
            {state.value === "idle" ? "● Record a hum" : recording ? "■ Stop" : "counting in…"}
          </button>
          <PickFiles
            label="+ hum or MIDI"
            accept="audio/*,.mid,.midi,.flac,.ogg"
            onPick={(picked) => void dropped(picked)}
          />
        </div>
        {recording && (
          <div
            class="meter"
            role="meter"
            aria-label="Level of the microphone"
            aria-valuenow={Math.round(level.value * 100)}
          >
            <i style={{ width: `${Math.min(100, Math.sqrt(level.value) * 100)}%` }} />
          </div>
        )}
        <details class="by-numbers">
          <summary>Count-in and delay</summary>
          <div class="row wrap">
            <label>
              beats{" "}
              <input
                type="number"
                min={0}
                max={16}
                value={beats.value}
                onInput={(event) => (beats.value = Number(event.currentTarget.value))}
              />
            </label>
            <label>
              per minute{" "}
              <input
                type="number"
                min={30}
                max={300}
                value={perMinute.value}
                onInput={(event) => (perMinute.value = Math.max(30, Number(event.currentTarget.value)))}
              />
            </label>
            <label title="Positive where your hums come too late">
              comes late by{" "}
              <input
                type="number"
                min={-500}
                max={500}
                value={late.value}
                onInput={(event) => setLate(Number(event.currentTarget.value))}
              />{" "}
              ms
            </label>
          </div>
        </details>
      </DropZone>
      {melody && <MelodyWords melody={melody} />}
      {humTakes.value.length > 0 && (
        <ul class="tokens-list" aria-label="Hums">
          {humTakes.value.map((one) => (
            <li key={one.title} class={`token ${melody?.upload.key === one.upload?.key ? "current" : ""}`}>
              <button class="plain" onClick={() => useHum(one)} title="Use this one">
                {one.title} <span class="faint">{one.seconds.toFixed(1)} s</span>
              </button>
              <HumSound hum={one} />
            </li>
          ))}
        </ul>
      )}
      <Problem place="melody" />
    </Guide>
  );
}

function setLate(milliseconds: number): void {
  late.value = milliseconds;
  localStorage.setItem("unbraid.late", String(milliseconds));
}

function HumSound({ hum }: { hum: HumTake }) {
  const play = () => {
    const address = URL.createObjectURL(hum.wav);
    const sound = new Audio(address);
    sound.onended = () => URL.revokeObjectURL(address);
    void sound.play();
  };
  return <IconButton icon="play" label={`Hear ${hum.title} alone`} onClick={play} />;
}

function MelodyWords({ melody }: { melody: Melody }) {
  const tracks = melody.kind === "score" ? (midiTracks.value.get(melody.upload.key) ?? []) : [];
  const set = (next: Partial<Melody>) => change((target) => ({ ...target, melody: { ...melody, ...next } as Melody }));
  const read = (text: string) => {
    if (text.trim() === "auto") return set({ offset: null });
    const seconds = readClock(text);
    if (seconds === null)
      return complain(
        "melody",
        `“${text}” is no time: write seconds such as 12.5, a clock time such as 1:02, or auto.`,
      );
    settle("melody");
    set({ offset: seconds });
    return undefined;
  };
  return (
    <div class="melody">
      <div class="row">
        <span class="token current clip">{melody.upload.title}</span>
        <label>
          at{" "}
          <input
            class="time"
            value={melody.offset === null ? "auto" : melody.offset.toFixed(2)}
            aria-label="Where it begins in the song"
            onChange={(event) => read(event.currentTarget.value)}
          />
        </label>
        <button
          class="chip"
          aria-pressed={melody.offset === null}
          onClick={() => set({ offset: melody.offset === null ? 0 : null })}
          title="Find the place by comparing the melody with the song"
        >
          auto
        </button>
        <IconButton
          icon="close"
          label="Remove the melody"
          onClick={() => change((target) => ({ ...target, melody: null }))}
        />
      </div>
      {tracks.length > 1 && (
        <label class="field inline">
          track
          <select
            value={String(melody.kind === "score" ? (melody.track ?? "") : "")}
            onChange={(event) => set({ track: Number(event.currentTarget.value) || null } as Partial<Melody>)}
          >
            {tracks.map((track) => (
              <option key={track.number} value={track.number} disabled={track.isDrum}>
                {track.number} {track.name} ({track.notes.length} notes{track.isDrum ? ", drums" : ""})
              </option>
            ))}
          </select>
        </label>
      )}
    </div>
  );
}
