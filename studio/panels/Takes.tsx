/** History: every take of the song, what it was asked with, and the ways to take it away. */

import { signal } from "@preact/signals";
import { contentAddress, getCode, getDownload, stemAddress, stemMp4Address, zipAddress } from "../api/client.ts";
import type { JobInfo, TakeCode, TakeInfo } from "../api/types.ts";
import { chosen, heard, swapped } from "../domain/takes.ts";
import type { RequestItem } from "../domain/guides.ts";
import { priorWords } from "../domain/priors.ts";
import { clock } from "../domain/time.ts";
import { cancel, compareTake, removeTake, separateMore, useGuidesAgain } from "./actions.ts";
import { about, announcement, comparison, complain, mixtureHeard, settle, songTakes } from "./desk.ts";
import { IconButton, Problem } from "./parts.tsx";

const format = signal("wav");
const codeOf = signal<{ take: string; code: TakeCode } | null>(null);

export function Takes() {
  const all = [...songTakes.value].reverse();
  if (!all.length) return null;
  return (
    <section class="card card-takes" aria-label="Takes">
      <div class="row">
        <h2 class="grow">Takes</h2>
        {comparison.value.other && (
          <button
            class={`chip ${comparison.value.swapped ? "on" : ""}`}
            aria-pressed={comparison.value.swapped}
            onClick={() => {
              comparison.value = swapped(comparison.value);
              mixtureHeard.value = false;
            }}
            title="Switch between the two takes while they play (C)"
          >
            hear the other one
          </button>
        )}
      </div>
      <ol class="takes">
        {all.map((take, index) => (
          <Take key={take.id} take={take} number={all.length - index} />
        ))}
      </ol>
    </section>
  );
}

function Take({ take, number }: { take: TakeInfo; number: number }) {
  const { current, other } = comparison.value;
  const isHeard = heard(comparison.value) === take.id;
  const isOther = other === take.id;
  const hasWhole = take.jobs.some((job) => !job.region && job.state !== "failed" && job.state !== "cancelled");
  return (
    <li class={`take ${isHeard ? "heard" : ""}`} data-state={take.jobs.map((job) => job.state).join(" ")}>
      <div class="row">
        <button
          class="plain grow clip"
          aria-pressed={current === take.id}
          onClick={() => {
            comparison.value = chosen(comparison.value, take.id);
            mixtureHeard.value = false;
          }}
          title="Hear this take"
        >
          <b>{number}</b> {take.title || wordsOf(take)}{" "}
          <span class="faint">
            {take.model} {priorWords(take.settings)}
          </span>
        </button>
        {current !== take.id && (
          <button
            class={`chip ${isOther ? "on" : ""}`}
            aria-pressed={isOther}
            onClick={() => compareTake(take.id)}
            title="Compare it with the take that is heard"
          >
            compare
          </button>
        )}
        <IconButton icon="close" label={`Throw take ${number} away`} onClick={() => void removeTake(take.id)} />
      </div>
      {take.jobs
        .filter((job) => job.state !== "waiting" && job.state !== "running")
        .map((job) => (
          <Job key={job.id} job={job} />
        ))}
      {isHeard && (
        <div class="row wrap">
          {!hasWhole && (
            <button class="chip" onClick={() => void separateMore(take.id, null)}>
              Separate the whole song
            </button>
          )}
          <button
            class="chip"
            title="Prompts, labels, regions, hums, paint, model and settings, to be changed and asked for anew"
            onClick={() => void useGuidesAgain(take, number)}
          >
            Use these guides again
          </button>
        </div>
      )}
      {isHeard && <Downloads take={take} />}
      <Problem place={`take:${take.id}`} />
    </li>
  );
}

/** What a take was asked for, in words. */
function wordsOf(take: TakeInfo): string {
  return (take.targets as readonly RequestItem[])
    .map((item) =>
      "guides" in item
        ? item.name
        : item.kind === "label" || item.kind === "taught"
          ? item.name
          : item.kind === "prompts"
            ? item.names.join(", ")
            : item.kind,
    )
    .join(", ");
}

/** What is under way now, beside the button that began it. */
export function UnderWay() {
  const jobs = songTakes.value
    .flatMap((take) => take.jobs)
    .filter((job) => job.state === "waiting" || job.state === "running");
  return (
    <>
      {jobs.slice(0, 2).map((job) => (
        <Job key={job.id} job={job} />
      ))}
    </>
  );
}

const WORDS: Record<JobInfo["state"], string> = {
  waiting: "waiting",
  running: "separating",
  done: "done",
  failed: "failed",
  cancelled: "stopped",
};

function Job({ job }: { job: JobInfo }) {
  const isOn = job.state === "waiting" || job.state === "running";
  const what = job.region ? `${clock(job.start, 1)}–${clock(job.stop, 1)}` : "whole song";
  if (job.state === "done")
    return (
      <p class="small faint job">
        {what}: done{job.cached ? ", from before" : ""}
      </p>
    );
  return (
    <div class="job">
      <div class="row small">
        <span class="grow">
          {what}: {WORDS[job.state]}
          {isOn && job.state === "running" ? ` ${Math.round(job.progress * 100)} %` : ""}
        </span>
        {isOn && (
          <button class="chip" onClick={() => void cancel(job)}>
            Cancel
          </button>
        )}
      </div>
      {isOn && <progress value={job.progress} max={1} aria-label={`Separating ${what}`} />}
      {job.error && (
        <p class="problem" role="alert">
          {job.error}
        </p>
      )}
    </div>
  );
}

function Downloads({ take }: { take: TakeInfo }) {
  const done = take.jobs.filter((job) => job.state === "done");
  const job = done.find((one) => !one.region) ?? done[done.length - 1];
  if (!job) return null;
  const shown = codeOf.value?.take === take.id ? codeOf.value.code : null;
  const toggle = async () => {
    if (shown) return void (codeOf.value = null);
    try {
      codeOf.value = { take: take.id, code: await getCode(take.id) };
    } catch (error) {
      complain(`take:${take.id}`, error);
    }
    return undefined;
  };
  return (
    <div class="downloads" role="group" aria-label="Take away">
      <div class="row wrap">
        <select
          aria-label="Format"
          value={format.value}
          onChange={(event) => (format.value = event.currentTarget.value)}
        >
          {Object.keys(about.value?.formats ?? { wav: [] }).map((one) => (
            <option key={one}>{one}</option>
          ))}
        </select>
        {job.stems.map((stem, index) => (
          <Away key={stem.sound} job={job} address={stemAddress(job.id, index, format.value)} words={stem.name} />
        ))}
        <Away job={job} address={zipAddress(job.id, format.value)} words="all (ZIP)" />
        {about.value?.stem_mp4 && <Away job={job} address={stemMp4Address(job.id)} words=".stem.mp4" />}
        <button class="chip" aria-expanded={shown !== null} onClick={() => void toggle()}>
          code
        </button>
      </div>
      {job.region && (
        <p class="faint small">
          Only {clock(job.start, 1)}–{clock(job.stop, 1)}: the whole song is not done.
        </p>
      )}
      {shown && (
        <>
          <Code label="Command line" text={shown.command} />
          <Code label="Python" text={shown.python} />
          <CodeFiles code={shown} />
        </>
      )}
    </div>
  );
}

const LARGE_SECONDS = 1800; // longer ones are not held in the page, but go to the disk at once
const preparing = signal<string | null>(null);

/** A link to a file that the server makes first; what goes wrong is told here, not in a file. */
function Away({ job, address, words }: { job: JobInfo; address: string; words: string }) {
  const fetchIt = async (event: MouseEvent) => {
    if (job.stop - job.start > LARGE_SECONDS) return;
    event.preventDefault();
    if (preparing.value) return;
    preparing.value = address;
    settle(`take:${job.take}`);
    try {
      const { blob, name } = await getDownload(address);
      save(blob, name);
    } catch (error) {
      complain(`take:${job.take}`, error);
    } finally {
      preparing.value = null;
    }
  };
  return (
    <a
      class="chip"
      href={address}
      download=""
      aria-busy={preparing.value === address}
      onClick={(event) => void fetchIt(event)}
    >
      {words}
      {preparing.value === address ? "…" : ""}
    </a>
  );
}

function save(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  window.setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** The files that the code names, to be laid beside it. */
function CodeFiles({ code }: { code: TakeCode }) {
  const files = Object.entries(code.files).map(([name, id]) => ({ name, address: contentAddress(id) }));
  const documents = Object.entries(code.documents).map(([name, text]) => ({
    name,
    address: `data:application/json;charset=utf-8,${encodeURIComponent(text)}`,
  }));
  return (
    <div class="row wrap">
      <span class="faint small">Files in it:</span>
      {[...files, ...documents].map(({ name, address }) => (
        <a key={name} class="chip" href={address} download={name}>
          {name}
        </a>
      ))}
    </div>
  );
}

function Code({ label, text }: { label: string; text: string }) {
  const copy = () => void navigator.clipboard.writeText(text).then(() => (announcement.value = `${label} copied.`));
  return (
    <div class="code">
      <div class="row">
        <span class="grow faint small">{label}</span>
        <button class="chip" onClick={copy}>
          copy
        </button>
      </div>
      <pre tabIndex={0}>{text}</pre>
    </div>
  );
}
