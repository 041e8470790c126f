/** A sound that is pointed at with examples gets a name, by which it is asked for from then on. */

import { useState } from "preact/hooks";
import { contentAddress } from "../api/client.ts";
import type { FileInfo } from "../api/types.ts";
import type { Target } from "../domain/request.ts";
import { lessonObstacle, lessonOf, lessonWords, pupilOf, pupilWords } from "../domain/teaching.ts";
import { removeFile, teachLabel } from "./actions.ts";
import { draft, files, labelsOf, modelInfos, models, songId } from "./desk.ts";
import { Icon, IconButton, Problem } from "./parts.tsx";

export function Teach({ target }: { target: Target }) {
  const [typed, setTyped] = useState<string | null>(null);
  const name = typed ?? target.name;
  const pupil = pupilOf(models.value, draft.value.model);
  const isBusy = files.value.some((file) => file.state === "teaching");
  const wrong = isBusy
    ? "Another sound is being taught: wait for it, or cancel it above."
    : lessonObstacle(target, name, pupil);
  const lesson = pupil && songId.value ? lessonOf(target, name, pupil, songId.value) : null;
  return (
    <details class="by-numbers">
      <summary>Teach it a name</summary>
      <form
        class="row"
        onSubmit={(event) => {
          event.preventDefault();
          if (lesson && !wrong) void teachLabel(lesson);
        }}
      >
        <input
          class="grow"
          aria-label="Name to teach"
          placeholder="such as my guitar"
          maxLength={100}
          value={name}
          onInput={(event) => setTyped(event.currentTarget.value)}
        />
        <button class="chip" disabled={!lesson || wrong !== null}>
          Teach
        </button>
      </form>
      <p class="faint small" aria-live="polite">
        {wrong ?? `${pupilWords(pupil!)} It hears ${lesson ? lessonWords(lesson) : "nothing"}.`}
      </p>
      <Problem place="teach" />
    </details>
  );
}

/** The labels of the session: those that are being taught, and those that can be taken away. */
export function Labels() {
  const own = files.value.filter((file) => file.kind === "label" && (file.label || file.state !== "ready"));
  if (!own.length || !modelInfos.value.length) return null;
  return (
    <>
      <p class="faint small">Taught labels of this session</p>
      <ul class="tokens-list" aria-label="Taught labels of this session">
        {own.map((file) => (
          <Label key={file.id} file={file} />
        ))}
      </ul>
    </>
  );
}

function Label({ file }: { file: FileInfo }) {
  const name = file.label?.name ?? file.name.replace(/\.unbraid$/, "");
  const isTaught = file.state === "teaching";
  const fits = !file.label || modelInfos.value.some((info) => labelsOf(info).some((label) => label.key === file.id));
  const wrong = fits
    ? file.error
    : `was taught to ${file.label!.model}, and no model here is the same: teach it to one of these`;
  return (
    <li class={`token ${wrong ? "failed" : ""}`}>
      <span class="clip">{name}</span>
      {isTaught && (
        <>
          <progress class="short" value={file.progress} max={1} aria-label={`Teaching ${name}`} />
          <span class="faint">{Math.round(file.progress * 100)} %</span>
        </>
      )}
      {file.label && (
        <a class="icon-button" href={contentAddress(file.id)} download={file.name} title={`Save ${file.name}`}>
          <span class="sr-only">Save {file.name}</span>
          <Icon name="download" />
        </a>
      )}
      <IconButton
        icon="close"
        label={isTaught ? `Stop teaching ${name}` : `Throw the label ${name} away`}
        onClick={() => void removeFile(file.id, "names")}
      />
      {wrong && <span class="problem">{wrong}</span>}
    </li>
  );
}
