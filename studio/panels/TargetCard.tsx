/** One sound, and all guides that point at it. */

import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import type { Kind } from "../domain/models.ts";
import {
  type Recording,
  type SpanMark,
  type Target,
  isEmpty,
  replaced,
  spanTitle,
  titleOf,
} from "../domain/request.ts";
import { ensureTarget, sendUpload } from "./actions.ts";
import {
  announcement,
  brushConfidence,
  draft,
  files,
  layDown,
  offers,
  strokes,
  region,
  settle,
  target,
  tool,
} from "./desk.ts";
import { Refused } from "./GuidePanel.tsx";
import { MelodyGuide } from "./Melody.tsx";
import { DropZone, IconButton, Problem } from "./parts.tsx";
import { easelOf, paintRectangle } from "./paintings.ts";
import { PickFiles } from "./SongHeader.tsx";
import { Teach } from "./Teach.tsx";
import { duration } from "./desk.ts";

export function change(update: (target: Target) => Target): void {
  const id = ensureTarget();
  draft.value = replaced(draft.value, id, update);
  settle("separate");
}

/** “Like this”: the region becomes an example of what the sound is, or of what it is not. */
export function exampleFromRegion(side: "positive" | "negative"): void {
  const one = region.value;
  if (!one || !offers("Examples") || (side === "negative" && !offers("Negative"))) return;
  change((target) => ({ ...target, [side]: [...target[side], { kind: "span", start: one.start, stop: one.stop }] }));
  announcement.value = side === "positive" ? "Added: like this." : "Added: not like this.";
}

export function markSpan(sounds: boolean): void {
  const one = region.value;
  if (one && offers("Span") && (sounds || offers("Negative")))
    change((target) => ({ ...target, spans: [...target.spans, { start: one.start, stop: one.stop, sounds }] }));
}

export function TargetCard() {
  const one = target.value;
  const remove = () => {
    const targets = draft.value.targets.filter((each) => each.id !== one!.id);
    layDown({ ...draft.value, targets }, targets[0]?.id ?? null, `“${titleOf(one!)}” is removed.`);
  };
  return (
    <div class="target">
      {one && (
        <div class="row">
          <input
            class="grow"
            aria-label="Name of the stem"
            placeholder={isEmpty(one) ? "name of the stem" : titleOf(one)}
            value={one.name}
            onInput={(event) => {
              const name = event.currentTarget.value;
              change((each) => ({ ...each, name }));
            }}
          />
          <IconButton icon="close" label="Remove this sound" onClick={remove} />
        </div>
      )}
      <Examples target={one} />
      <MelodyGuide target={one} />
      <Paint target={one} />
      <Spans target={one} />
    </div>
  );
}

export function Guide(props: { kind: Kind; title: string; count?: number; children: ComponentChildren }) {
  const isOffered = offers(props.kind);
  return (
    <section class={`guide ${isOffered ? "" : "refused"}`} aria-label={props.title}>
      <h3>
        {props.title}
        {props.count ? <span class="count">{props.count}</span> : null}
      </h3>
      {isOffered ? props.children : <Refused kind={props.kind} />}
    </section>
  );
}

function Examples({ target: one }: { target: Target | null }) {
  const add = async (dropped: File[], side: "positive" | "negative") => {
    for (const file of dropped) {
      const upload = await sendUpload(file, file.name, "examples");
      if (upload) change((each) => ({ ...each, [side]: [...each[side], { kind: "file", upload }] }));
    }
  };
  const side = (name: "positive" | "negative", words: string) => (
    <DropZone class={`example-side ${name}`} words={words} onDrop={(dropped) => void add(dropped, name)}>
      <div class="row">
        <span class="grow">{words}</span>
        <button
          class="chip"
          aria-label={`${words}: + region`}
          disabled={!region.value}
          onClick={() => exampleFromRegion(name)}
          title={name === "positive" ? "The region (Y)" : "The region (N)"}
        >
          + region
        </button>
        <PickFiles
          label="+ file"
          purpose={words}
          accept="audio/*,video/*,.flac,.ogg"
          onPick={(picked) => void add(picked, name)}
        />
      </div>
      <RecordingList
        recordings={one?.[name] ?? []}
        onRemove={(index) => change((each) => ({ ...each, [name]: each[name].filter((_, place) => place !== index) }))}
      />
    </DropZone>
  );
  return (
    <Guide kind="Examples" title="Examples" count={(one?.positive.length ?? 0) + (one?.negative.length ?? 0)}>
      {side("positive", "Like this")}
      {offers("Negative") || one?.negative.length ? side("negative", "Not like this") : <Refused kind="Negative" />}
      {one && one.positive.length > 0 && <Teach target={one} />}
      <Problem place="examples" />
    </Guide>
  );
}

function RecordingList(props: { recordings: readonly Recording[]; onRemove: (index: number) => void }) {
  if (!props.recordings.length) return null;
  return (
    <ul class="tokens-list">
      {props.recordings.map((one, index) => {
        const words = one.kind === "file" ? one.upload.title : spanTitle(one);
        const failed =
          one.kind === "file"
            ? files.value.find((file) => file.id === one.upload.key && file.state === "failed")
            : undefined;
        return (
          <li key={index} class={`token ${failed ? "failed" : ""}`}>
            {one.kind === "span" ? (
              <button
                class="plain"
                title="Show it"
                onClick={() => (region.value = { start: one.start, stop: one.stop })}
              >
                {words}
              </button>
            ) : (
              <span class="clip">{words}</span>
            )}
            <IconButton icon="close" label={`Remove ${words}`} onClick={() => props.onRemove(index)} />
            {failed && <span class="problem">{failed.error}</span>}
          </li>
        );
      })}
    </ul>
  );
}

function Paint({ target: one }: { target: Target | null }) {
  void strokes.value;
  const share = one && duration.value > 0 ? easelOf(one.id).history.painting.share() : { positive: 0, negative: 0 };
  const [low, setLow] = useState(200);
  const [high, setHigh] = useState(1000);
  const fill = (sign: 1 | -1 | 0) => {
    if (region.value)
      paintRectangle(
        ensureTarget(),
        { ...region.value, low: Math.min(low, high), high: Math.max(low, high) },
        sign,
        brushConfidence.value,
      );
  };
  const percent = (value: number) => `${value > 0 && value < 0.001 ? "<0.1" : (value * 100).toFixed(1)} %`;
  return (
    <Guide kind="Mask" title="Paint">
      <div class="row wrap">
        <button
          class={`chip ${tool.value === "select" ? "" : "on"}`}
          onClick={() => {
            ensureTarget();
            tool.value = tool.value === "select" ? "brush" : "select";
          }}
        >
          {tool.value === "select" ? "Paint on the spectrogram" : "Stop painting"}
        </button>
        {(share.positive > 0 || share.negative > 0) && (
          <span class="small">
            <span class="positive-words">{percent(share.positive)} is it</span>,{" "}
            <span class="negative-words">{percent(share.negative)} is not</span>
          </span>
        )}
      </div>
      <details class="by-numbers">
        <summary>Paint the region by numbers</summary>
        <div class="row wrap">
          <label>
            from{" "}
            <input
              type="number"
              min={0}
              max={8000}
              value={low}
              onInput={(event) => setLow(Number(event.currentTarget.value))}
            />{" "}
            Hz
          </label>
          <label>
            to{" "}
            <input
              type="number"
              min={0}
              max={8000}
              value={high}
              onInput={(event) => setHigh(Number(event.currentTarget.value))}
            />{" "}
            Hz
          </label>
        </div>
        <div class="row">
          <button class="chip" disabled={!region.value} onClick={() => fill(1)}>
            is it
          </button>
          <button class="chip" disabled={!region.value} onClick={() => fill(-1)}>
            is not
          </button>
          <button class="chip" disabled={!region.value} onClick={() => fill(0)}>
            erase
          </button>
        </div>
      </details>
    </Guide>
  );
}

function Spans({ target: one }: { target: Target | null }) {
  const remove = (index: number) =>
    change((each) => ({ ...each, spans: each.spans.filter((_, place) => place !== index) }));
  return (
    <Guide kind="Span" title="Spans" count={one?.spans.length ?? 0}>
      <div class="row wrap">
        <button class="chip" disabled={!region.value} onClick={() => markSpan(true)}>
          sounds in the region
        </button>
        {offers("Negative") && (
          <button class="chip" disabled={!region.value} onClick={() => markSpan(false)}>
            does not
          </button>
        )}
      </div>
      {one && one.spans.length > 0 && (
        <ul class="tokens-list">
          {one.spans.map((span: SpanMark, index) => (
            <li key={index} class={`token ${span.sounds ? "positive" : "negative"}`}>
              <button class="plain" onClick={() => (region.value = { start: span.start, stop: span.stop })}>
                {spanTitle(span)} {span.sounds ? "" : "(not)"}
              </button>
              <IconButton icon="close" label={`Remove the span ${spanTitle(span)}`} onClick={() => remove(index)} />
            </li>
          ))}
        </ul>
      )}
    </Guide>
  );
}
