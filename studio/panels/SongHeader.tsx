/** Beside the waveform: what song it is, and how loud. */

import { clock } from "../domain/time.ts";
import {
  about,
  complain,
  duration,
  files,
  looping,
  menu,
  mixtureHeard,
  problems,
  region,
  settle,
  song,
  songLane,
  songName,
  takes,
} from "./desk.ts";
import { addSongs, removeFile } from "./actions.ts";
import { isSong, showSong } from "./session.ts";
import { Fader, IconButton, Problem } from "./parts.tsx";
import { lanes } from "./playback.ts";

export function SongHeader() {
  const file = song.value;
  const hasStems = lanes.value.length > 0;
  const isListed = menu.value === "songs";
  return (
    <div class="gutter header" data-menu>
      <div class="row">
        <strong class="clip grow" title={songName.value}>
          {songName.value || "No song"}
        </strong>
        <IconButton
          label="Songs of this session"
          icon="list"
          pressed={isListed}
          onClick={() => (menu.value = isListed ? null : "songs")}
        />
      </div>
      <div class="faint small">
        {file?.state === "analyzing"
          ? `analyzing ${Math.round(file.progress * 100)} %`
          : duration.value > 0 && clock(duration.value, 1)}
      </div>
      <div class="row">
        {hasStems && (
          <button
            class={`chip ${mixtureHeard.value ? "on" : ""}`}
            aria-pressed={mixtureHeard.value}
            title="Hear the mixture instead of the stems (A)"
            onClick={() => (mixtureHeard.value = !mixtureHeard.value)}
          >
            Mixture
          </button>
        )}
        <Fader
          label="Gain of the mixture"
          value={songLane.value.gainDb}
          onChange={(gainDb) => (songLane.value = { ...songLane.value, gainDb })}
        />
      </div>
      {isListed && <SongList />}
      <Problem place="play" />
      {file?.state === "failed" && <Problem place={`file:${file.id}`} />}
    </div>
  );
}

function SongList() {
  const recordings = files.value.filter(isSong);
  const used = new Set(takes.value.map((take) => take.song));
  return (
    <div class="popover song-list" role="dialog" aria-label="Songs of this session">
      <ul>
        {recordings.map((file) => (
          <li key={file.id}>
            <button
              class={`plain grow clip ${file.id === song.value?.id ? "current" : ""}`}
              aria-current={file.id === song.value?.id}
              onClick={() => {
                showSong(file.id);
                menu.value = null;
              }}
            >
              {file.name} <span class="faint">{file.duration ? clock(file.duration) : ""}</span>
            </button>
            {!used.has(file.id) && file.id !== song.value?.id && (
              <IconButton label={`Remove ${file.name}`} icon="close" onClick={() => void removeFile(file.id)} />
            )}
            {problems.value.has(`file:${file.id}`) && <Problem place={`file:${file.id}`} />}
          </li>
        ))}
      </ul>
      <PickFiles
        label="Add a song…"
        onPick={(picked) => {
          menu.value = null;
          void addSongs(picked);
        }}
      />
    </div>
  );
}

/** A button that asks for files. */
export function PickFiles(props: {
  label: string;
  /** What the files are for, where the label alone does not say. */
  purpose?: string;
  accept?: string;
  onPick: (files: File[]) => void;
  strong?: boolean;
}) {
  const pick = (event: Event) => {
    const input = event.currentTarget as HTMLInputElement;
    const picked = [...(input.files ?? [])];
    input.value = "";
    const most = about.value?.limits["upload_bytes"];
    const large = picked.find((file) => most && file.size > most);
    settle("files");
    if (large)
      complain(
        "files",
        `“${large.name}” is larger than ${Math.round(most! / 1e6)} MB, the limit of this server: cut it, or raise the limit.`,
      );
    else if (picked.length) props.onPick(picked);
  };
  return (
    <label class={`button ${props.strong ? "strong" : ""}`}>
      {props.label}
      <input
        type="file"
        multiple
        class="hidden-input"
        aria-label={props.purpose ? `${props.purpose}: ${props.label}` : undefined}
        accept={props.accept ?? "audio/*,video/*,.flac,.ogg,.opus,.aiff,.zip"}
        onChange={pick}
      />
    </label>
  );
}

/** Buttons for the region that is chosen, and how long it is. */
export function RegionWords() {
  const one = region.value;
  if (!one) return <span class="faint">{duration.value > 0 && "Drag on the song to choose a region"}</span>;
  return (
    <span class="region-words">
      {clock(one.start, 2)}–{clock(one.stop, 2)}{" "}
      <span class="faint">
        ({(one.stop - one.start).toFixed(2)} s{looping.value ? ", looped" : ""})
      </span>
    </span>
  );
}
