/** Small parts that panels share. */

import type { ComponentChildren } from "preact";
import type { SessionSummary } from "../api/types.ts";
import { problems, settle } from "./desk.ts";

const PATHS: Record<string, string> = {
  play: "M7 4v16l13-8z",
  pause: "M6 4h4v16H6zM14 4h4v16h-4z",
  start: "M6 5h2v14H6zM20 5v14L9 12z",
  loop: "M7 7h10v3l4-4-4-4v3H5v7h2zm10 10H7v-3l-4 4 4 4v-3h12v-7h-2z",
  close: "M6.4 5 5 6.4 10.6 12 5 17.6 6.4 19 12 13.4 17.6 19 19 17.6 13.4 12 19 6.4 17.6 5 12 10.6z",
  list: "M4 6h16v2H4zm0 5h16v2H4zm0 5h16v2H4z",
  plus: "M11 5h2v6h6v2h-6v6h-2v-6H5v-2h6z",
  minus: "M5 11h14v2H5z",
  fit: "M3 11h18v2H3zm0-4 4 5-4 5zm18 0-4 5 4 5z",
  theme: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zm0 2a7 7 0 0 1 0 14z",
  help: "M11 17h2v2h-2zm1-13a5 5 0 0 0-5 5h2a3 3 0 1 1 4.5 2.6c-1.4.8-2.5 1.7-2.5 3.4h2c0-1 .6-1.4 1.6-2A5 5 0 0 0 12 4z",
  select: "M9 3h2v18H9zM13 3h2v18h-2zM3 11h4v2H3zm14 0h4v2h-4z",
  brush:
    "M20.7 4.6 19.4 3.3a1 1 0 0 0-1.4 0L9 12.3l2.7 2.7 9-9a1 1 0 0 0 0-1.4zM7.5 14a3.5 3.5 0 0 0-3.5 3.5C4 19 3 20 2 20c1 1.3 2.5 2 4.5 2A4.5 4.5 0 0 0 11 17.5 3.5 3.5 0 0 0 7.5 14z",
  harmonics: "M3 18h18v2.5H3zm0-5h18v2H3zm0-4.5h18V10H3zM3 4h18v1H3z",
  rectangle: "M4 5h16v14H4zm2 2v10h12V7z",
  lasso:
    "M12 3C6.5 3 2 6 2 10c0 2.600 2 4.800 5 6-.2 1.500-1 3-2.500 4h3.200c1.200-1 1.900-2.300 2-3.600A16 16 0 0 0 12 17c5.500 0 10-3 10-7s-4.500-7-10-7zm0 12c-4.500 0-8-2.300-8-5s3.500-5 8-5 8 2.300 8 5-3.500 5-8 5z",
  eraser: "m15 3 6 6-10 10H6l-3-3zm-7.500 14h2.700l2-2-4.200-4.200L5.300 13.500 4.800 16z",
  undo: "M8 5v4h6a5 5 0 0 1 0 10H8v-2h6a3 3 0 0 0 0-6H8v4L2 10z",
  redo: "M16 5v4h-6a5 5 0 0 0 0 10h6v-2h-6a3 3 0 0 1 0-6h6v4l6-5z",
  spectrum: "M4 20V10h3v10zm5 0V4h3v16zm5 0v-8h3v8zm5 0V7h2v13z",
  more: "M12 3 7 9h3.500v5h3V9H17zM4 17h16v3H4z",
  record: "M12 6a6 6 0 1 0 0 12 6 6 0 0 0 0-12z",
  stop: "M6 6h12v12H6z",
  download: "M11 3h2v9h4l-5 6-5-6h4zM4 19h16v2H4z",
  swap: "M7 4 2 9l5 5v-4h11V8H7zm10 6v4H6v2h11v4l5-5z",
};

export function Icon({ name }: { name: string }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={PATHS[name]} fill-rule="evenodd" />
    </svg>
  );
}

export function IconButton(props: {
  label: string;
  icon: string;
  onClick: () => void;
  pressed?: boolean;
  disabled?: boolean;
  keys?: string;
  class?: string;
}) {
  return (
    <button
      type="button"
      class={`icon-button ${props.pressed ? "on" : ""} ${props.class ?? ""}`}
      aria-label={props.label}
      aria-pressed={props.pressed}
      title={props.keys ? `${props.label} (${props.keys})` : props.label}
      disabled={props.disabled}
      onClick={props.onClick}
    >
      <Icon name={props.icon} />
    </button>
  );
}

/** What went wrong, where the person is looking. */
export function Problem({ place }: { place: string }) {
  const text = problems.value.get(place);
  if (!text) return null;
  return (
    <div class="problem" role="alert">
      <span>{text}</span>
      <IconButton label="Dismiss" icon="close" onClick={() => settle(place)} />
    </div>
  );
}

/** What a session is called, and when it was used: several may be called the same. */
export function SessionWords({ session }: { session: SessionSummary }) {
  const used = new Date(1000 * session.used).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
  return (
    <>
      {session.title || "Untitled"} <span class="faint small">{used}</span>
    </>
  );
}

export function Fader(props: { label: string; value: number; onChange: (value: number) => void }) {
  return (
    <input
      type="range"
      class="fader"
      min={-36}
      max={12}
      step={0.5}
      value={props.value}
      aria-label={props.label}
      aria-valuetext={`${props.value} dB`}
      title={`${props.label}: ${props.value} dB; double click for 0`}
      onInput={(event) => props.onChange(Number(event.currentTarget.value))}
      onDblClick={() => props.onChange(0)}
    />
  );
}

export function Slider(props: {
  label: string;
  value: number;
  min: number;
  max: number;
  step: number;
  words: string;
  onChange: (value: number) => void;
}) {
  return (
    <label class="slider">
      <span>
        {props.label} <b>{props.words}</b>
      </span>
      <input
        type="range"
        min={props.min}
        max={props.max}
        step={props.step}
        value={props.value}
        aria-valuetext={props.words}
        onInput={(event) => props.onChange(Number(event.currentTarget.value))}
      />
    </label>
  );
}

/** Takes files that are dropped on it, and says so while they hover. */
export function DropZone(props: {
  words: string;
  onDrop: (files: File[]) => void;
  class?: string;
  children?: ComponentChildren;
}) {
  const over = (event: DragEvent, is: boolean) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    event.stopPropagation();
    (event.currentTarget as HTMLElement).classList.toggle("over", is);
  };
  return (
    <div
      class={`drop ${props.class ?? ""}`}
      data-words={props.words}
      onDragEnter={(event) => over(event, true)}
      onDragOver={(event) => over(event, true)}
      onDragLeave={(event) => over(event, false)}
      onDrop={(event) => {
        over(event, false);
        const dropped = [...(event.dataTransfer?.files ?? [])];
        if (dropped.length) props.onDrop(dropped);
      }}
    >
      {props.children}
    </div>
  );
}
