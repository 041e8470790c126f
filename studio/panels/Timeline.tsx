/** The song: overview, ruler, waveform and spectrogram, and all that is pointed at on them. */

import { effect, signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { drawOnFrames } from "../canvas/frames.ts";
import { watch } from "../canvas/gestures.ts";
import {
  type Scene,
  drawFrequencies,
  drawOverlay,
  drawRegion,
  drawRuler,
  drawTool,
  placeWords,
} from "../canvas/scene.ts";
import { drawWave } from "../canvas/sound_picture.ts";
import { sized } from "../canvas/theme.ts";
import { clock, fitAll, pixelOf, resized, secondsAt, stopOf } from "../domain/time.ts";
import { PaintBrush } from "./brush.ts";
import { duration, midiTracks, paintVersion, playhead, region, songShape, target, theme, tool, view } from "./desk.ts";
import { Lanes } from "./Lanes.tsx";
import { PaintLayer } from "../canvas/paint_layer.ts";
import { easelOf } from "./paintings.ts";
import { arrivals, pictureOfSong } from "./pictures.ts";
import { seek } from "./playback.ts";
import { marksOf, surface } from "./scene_state.ts";
import { SongHeader } from "./SongHeader.tsx";
import { Tools } from "./Tools.tsx";

const RULER = 24;
const OVERVIEW = 34;

function scene(): Scene {
  const one = target.value;
  const melody = one?.melody ?? null;
  const tracks = melody?.kind === "score" ? (midiTracks.value.get(melody.upload.key) ?? []) : [];
  const track =
    melody?.kind === "score"
      ? (tracks.find((each) => each.number === melody.track) ?? tracks.find((each) => !each.isDrum))
      : undefined;
  const hum = melody?.kind === "hum" && melody.offset !== null ? melody : null;
  return {
    view: view.value,
    theme: theme.value,
    region: region.value,
    marks: marksOf(one),
    notes: track?.notes ?? [],
    noteOffset: melody?.offset ?? 0,
    hum: hum ? { start: hum.offset!, stop: hum.offset! + (hum.seconds ?? 1), words: hum.upload.title } : null,
    painting: tool.value !== "select",
    duration: duration.value,
  };
}

export function Timeline() {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const watcher = new ResizeObserver(([entry]) => {
      const width = Math.floor(entry!.contentRect.width);
      if (width > 0) view.value = duration.value > 0 ? resized(view.value, width, duration.value) : fitAll(1, width);
    });
    watcher.observe(box.current!);
    return () => watcher.disconnect();
  }, []);
  return (
    <section class="timeline" aria-label="Song">
      <div class="gutter gutter-overview">
        <span class="faint">whole song</span>
      </div>
      <Overview />
      <div class="gutter" />
      <div class="measure" ref={box}>
        <Ruler />
      </div>
      <SongHeader />
      <Wave />
      <Tools />
      <Spectrogram />
      <Lanes />
      <Playhead />
    </section>
  );
}

/** Counts drawings of the whole wave. */
const overviews = signal(0);

function Overview() {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const element = canvas.current!;
    const wave = document.createElement("canvas"); // changes seldom; what is drawn over it, at every frame
    const stopWave = drawOnFrames(() => {
      void arrivals.value;
      const [shape, look, width] = [songShape.value, theme.value, view.value.width];
      const context = sized(wave, width, OVERVIEW);
      context.clearRect(0, 0, width, OVERVIEW);
      if (!shape) return;
      const pixels = pictureOfSong().show(shape, true).pixels(fitAll(duration.value, width), 0);
      drawWave(context, pixels, OVERVIEW, look.waveMuted);
      overviews.value = overviews.peek() + 1;
    });
    const stop = drawOnFrames(() => {
      void overviews.value;
      const [look, shown] = [theme.value, view.value];
      const context = sized(element, shown.width, OVERVIEW);
      context.clearRect(0, 0, shown.width, OVERVIEW);
      if (duration.value <= 0) return;
      const whole = fitAll(duration.value, shown.width);
      context.drawImage(wave, 0, 0, shown.width, OVERVIEW);
      const [left, right] = [pixelOf(whole, shown.start), pixelOf(whole, stopOf(shown))];
      context.fillStyle = look.region;
      context.fillRect(left, 0, Math.max(2, right - left), OVERVIEW);
      context.strokeStyle = look.regionEdge;
      context.strokeRect(left + 0.5, 0.5, Math.max(2, right - left) - 1, OVERVIEW - 1);
      context.fillRect(pixelOf(whole, playhead.value), 0, 1, OVERVIEW);
    });
    const jump = (event: PointerEvent) => {
      if (event.buttons !== 1 || duration.value <= 0) return;
      element.setPointerCapture(event.pointerId);
      const middle = ((event.clientX - element.getBoundingClientRect().left) / view.value.width) * duration.value;
      const visible = view.value.width * view.value.secondsPerPixel;
      const start = Math.min(Math.max(0, middle - visible / 2), Math.max(0, duration.value - visible));
      view.value = { ...view.value, start };
    };
    element.addEventListener("pointerdown", jump);
    element.addEventListener("pointermove", jump);
    return () => {
      stop();
      stopWave();
      element.removeEventListener("pointerdown", jump);
      element.removeEventListener("pointermove", jump);
    };
  }, []);
  return (
    <canvas
      class="overview"
      ref={canvas}
      role="img"
      aria-label="The whole song; drag to move the view"
      style={{ height: `${OVERVIEW}px` }}
    />
  );
}

function Ruler() {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const stop = drawOnFrames(() => drawRuler(sized(canvas.current!, view.value.width, RULER), scene(), RULER));
    const quiet = watch(canvas.current!, surface, null);
    return () => {
      stop();
      quiet();
    };
  }, []);
  return <canvas ref={canvas} class="ruler" role="img" aria-label="Time" style={{ height: `${RULER}px` }} />;
}

function Wave() {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const element = canvas.current!;
    const stop = drawOnFrames(() => {
      void arrivals.value;
      const [shape, shown] = [songShape.value, view.value];
      const height = element.clientHeight;
      const context = sized(element, shown.width, height);
      context.clearRect(0, 0, shown.width, height);
      if (!shape) return;
      drawWave(context, pictureOfSong().show(shape, true).pixels(shown, 0), height, theme.value.wave);
      drawRegion(context, scene(), height);
    });
    const quiet = watch(element, surface, null);
    return () => {
      stop();
      quiet();
    };
  }, []);
  return <canvas ref={canvas} class="wave" role="img" aria-label="Waveform of the song; drag to choose a region" />;
}

function Spectrogram() {
  const sound = useRef<HTMLCanvasElement>(null);
  const paint = useRef<HTMLCanvasElement>(null);
  const over = useRef<HTMLCanvasElement>(null);
  const words = useRef<HTMLOutputElement>(null);
  useEffect(() => {
    const element = over.current!;
    const tall = signal(element.clientHeight);
    const height = () => tall.value;
    const drawOver = () => {
      const context = sized(element, view.value.width, height());
      const now = scene();
      drawOverlay(context, now, height());
      if (brush.isOn()) drawTool(context, now, height(), brush.shape());
    };
    let due = false;
    const brush = new PaintBrush(height, () => {
      if (due) return;
      due = true;
      requestAnimationFrame(() => {
        due = false;
        drawOver();
      });
    });
    const tell = (event: PointerEvent) => {
      const area = element.getBoundingClientRect();
      words.current!.textContent = placeWords(
        secondsAt(view.value, event.clientX - area.left),
        event.clientY - area.top,
        area.height,
      );
    };
    const size = new ResizeObserver(() => (tall.value = element.clientHeight));
    size.observe(element);
    const hush = () => (words.current!.textContent = "");
    element.addEventListener("pointermove", tell);
    element.addEventListener("pointerleave", hush);
    const stops = [
      drawOnFrames(() => drawSound(sound.current!, height())),
      drawOnFrames(() => drawPaint(paint.current!, height(), view.value, theme.value, target.value?.id ?? null)),
      drawOnFrames(() => drawFreshPaint(paint.current!, height())),
      drawOnFrames(drawOver),
      watch(element, surface, brush),
      () => size.disconnect(),
      () => element.removeEventListener("pointermove", tell),
      () => element.removeEventListener("pointerleave", hush),
    ];
    return () => stops.forEach((stop) => stop());
  }, []);
  return (
    <div class={`spectrogram ${tool.value === "select" ? "" : "paints"}`}>
      <canvas ref={sound} aria-hidden="true" />
      <canvas ref={paint} aria-hidden="true" />
      <canvas
        ref={over}
        class="front"
        role="img"
        aria-label="Spectrogram of the song; drag to choose a region, or paint with a tool"
      />
      <output ref={words} class="place" aria-live="off" />
    </div>
  );
}

function drawSound(canvas: HTMLCanvasElement, height: number): void {
  void arrivals.value;
  const [shape, shown] = [songShape.value, view.value];
  const context = sized(canvas, shown.width, height);
  context.fillStyle = theme.value.background;
  context.fillRect(0, 0, shown.width, height);
  if (shape) pictureOfSong().show(shape, true).drawSpectrogram(context, shown, height, 0, theme.value);
}

/** Draw all paint: another view, theme, or target. */
function drawPaint(
  canvas: HTMLCanvasElement,
  height: number,
  shown: typeof view.value,
  look: typeof theme.value,
  id: string | null,
): void {
  void arrivals.value;
  const context = sized(canvas, shown.width, height);
  context.clearRect(0, 0, shown.width, height);
  if (!id || duration.value <= 0) return;
  const easel = easelOf(id);
  easel.fresh = null;
  easel.layer.draw(context, shown, height, look);
}

/** Draw only where paint has changed. */
function drawFreshPaint(canvas: HTMLCanvasElement, height: number): void {
  void paintVersion.value;
  const id = target.peek()?.id;
  if (!id || duration.peek() <= 0) return;
  const easel = easelOf(id);
  if (!easel.fresh) return;
  const [from, to] = PaintLayer.pixelsOf(easel.fresh, view.peek());
  easel.fresh = null;
  if (from < to)
    easel.layer.draw(sized(canvas, view.peek().width, height), view.peek(), height, theme.peek(), from, to);
}

/** Frequencies, drawn beside the spectrogram. */
export function Frequencies() {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const draw = () => {
      const element = canvas.current!;
      drawFrequencies(
        sized(element, element.clientWidth, element.clientHeight),
        element.clientWidth,
        element.clientHeight,
        theme.value,
      );
    };
    const size = new ResizeObserver(draw);
    size.observe(canvas.current!);
    const stop = effect(draw);
    return () => {
      size.disconnect();
      stop();
    };
  }, []);
  return <canvas ref={canvas} class="frequencies" aria-hidden="true" />;
}

function Playhead() {
  const line = useRef<HTMLDivElement>(null);
  useEffect(
    () =>
      effect(() => {
        const x = pixelOf(view.value, playhead.value);
        const visible = x >= 0 && x <= view.value.width && duration.value > 0;
        line.current!.style.transform = `translateX(${x}px)`;
        line.current!.style.visibility = visible ? "visible" : "hidden";
      }),
    [],
  );
  const keys = (event: KeyboardEvent) => {
    const step = view.value.width * view.value.secondsPerPixel * 0.02;
    if (event.key === "ArrowLeft") seek(playhead.value - step);
    else if (event.key === "ArrowRight") seek(playhead.value + step);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div class="playhead-space">
      <div
        ref={line}
        class="playhead"
        role="slider"
        tabIndex={0}
        aria-label="Playhead"
        aria-valuemin={0}
        aria-valuemax={Math.round(duration.value)}
        aria-valuenow={Math.round(playhead.value)}
        aria-valuetext={clock(Math.round(playhead.value))}
        onKeyDown={keys}
      />
    </div>
  );
}
