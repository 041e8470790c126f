/**
 * Plays lanes in step, to the sample.
 *
 * There is one audio clock, at the rate of the song. Every lane is cut into chunks that are fetched ahead and started
 * at frames of that clock; muted lanes run along, so that switching between them is instant and never drifts.
 */

import { type ChunkPart, type Region, type Stretch, chunked, positionAt, stretches } from "../domain/transport.ts";
import { CHUNK_SAMPLES, type Chunks, type SoundShape } from "./chunks.ts";

/** A part of a lane: a sound that begins at some second of the song. */
export interface Segment {
  readonly sound: SoundShape;
  readonly start: number;
}

export interface PlayerLane {
  readonly id: string;
  /** Later ones are preferred where they are there already. */
  readonly segments: readonly Segment[];
  /** Linear; 0 is silent. */
  readonly gain: number;
}

interface RunningLane {
  lane: PlayerLane;
  readonly node: GainNode;
}

interface Pending {
  readonly lane: string;
  readonly segment: Segment;
  readonly part: ChunkPart;
}

const AHEAD = 1.2;
const LEAST = 0.4; // shorter pieces would only be more work
const PREFETCH = 6;
const PATIENCE = 4000; // milliseconds for the first samples
const TICK = 90;
const LEAD = 0.06;
const FADE = 0.008;

export class Player {
  private context: AudioContext | null = null;
  private master: GainNode | null = null;
  private readonly running = new Map<string, RunningLane>();
  private readonly sources = new Set<AudioBufferSourceNode>();
  private scheduled: Stretch[] = [];
  private pending: Pending[] = [];
  private timer = 0;
  private run = 0; // counts restarts, of which only the last one counts
  private rest = 0; // where the song stands while it does not play
  private loop: Region | null = null;
  private lanes: readonly PlayerLane[] = [];

  rate = 44100;
  duration = 0;
  playing = false;
  /** Called when playing begins or ends. */
  onChange: () => void = () => {};

  constructor(readonly chunks: Chunks) {}

  /** Another song: stop, and go to its beginning. */
  open(rate: number, duration: number): void {
    if (rate !== this.rate || duration !== this.duration) {
      this.pause();
      if (rate !== this.rate) this.close();
      this.rate = rate;
      this.duration = duration;
      this.rest = Math.min(this.rest, duration);
    }
  }

  setLanes(lanes: readonly PlayerLane[]): void {
    const before = new Map(this.lanes.map((lane) => [lane.id, lane]));
    const isNew = lanes.some((lane) => !before.has(lane.id));
    this.lanes = lanes;
    this.match();
    if (isNew && this.playing) this.restart(this.position());
  }

  setLoop(loop: Region | null): void {
    const same = this.loop?.start === loop?.start && this.loop?.stop === loop?.stop;
    this.loop = loop;
    if (!same && this.playing) this.restart(this.position());
  }

  /** Where the song stands for the ear, in seconds. */
  position(): number {
    if (!this.playing || !this.context) return this.rest;
    const heard = this.context.currentTime - this.outputLatency();
    return positionAt(heard, this.scheduled) ?? this.rest;
  }

  outputLatency(): number {
    const context = this.context;
    return context ? context.outputLatency || context.baseLatency || 0 : 0;
  }

  seek(seconds: number): void {
    this.rest = Math.min(this.duration, Math.max(0, seconds));
    if (this.playing) this.restart(this.rest);
    else this.prefetch(this.rest);
  }

  async play(): Promise<void> {
    if (this.playing || this.duration <= 0) return;
    const context = this.audio();
    await context.resume();
    if (this.rest >= this.duration - 0.01) this.rest = this.loop?.start ?? 0;
    if (this.loop && (this.rest < this.loop.start || this.rest >= this.loop.stop)) this.rest = this.loop.start;
    await this.ready(this.rest);
    this.begin(this.rest, context.currentTime + LEAD);
  }

  /** Begin at a time of the audio clock, as after a count-in. */
  async playAt(position: number, when: number): Promise<void> {
    this.rest = position;
    await this.ready(position);
    this.begin(position, when);
  }

  pause(): void {
    if (!this.playing) return;
    this.rest = this.position();
    this.playing = false;
    this.silence();
    window.clearInterval(this.timer);
    this.onChange();
  }

  /** The audio clock, made when it is first needed: browsers want a gesture before. */
  audio(): AudioContext {
    if (!this.context || this.context.state === "closed") {
      this.context = new AudioContext({ sampleRate: this.rate, latencyHint: "interactive" });
      this.master = this.context.createGain();
      this.master.connect(this.context.destination);
      this.match();
    }
    return this.context;
  }

  /** The song's time at a time of the audio clock; null if nothing was scheduled then. */
  positionOn(clock: number): number | null {
    return positionAt(clock, this.scheduled);
  }

  private begin(position: number, when: number): void {
    const context = this.audio();
    const frame = Math.ceil(when * this.rate) / this.rate;
    const now = context.currentTime;
    this.master!.gain.cancelScheduledValues(now);
    this.master!.gain.setTargetAtTime(1, frame - FADE / 2, FADE / 4);
    this.scheduled = [{ when: frame, from: position, to: position }];
    this.pending = [];
    this.playing = true;
    this.advance();
    window.clearInterval(this.timer);
    this.timer = window.setInterval(() => this.advance(), TICK);
    this.onChange();
  }

  /** Go on playing at a position, as soon as it can be heard. */
  private restart(position: number): void {
    this.silence();
    window.clearInterval(this.timer);
    this.scheduled = [];
    this.rest = position;
    const run = ++this.run;
    void this.ready(position).then(() => {
      if (this.playing && run === this.run) this.begin(this.rest, this.audio().currentTime + LEAD);
    });
  }

  private silence(): void {
    const context = this.context;
    if (!context || !this.master) return;
    const now = context.currentTime;
    this.master.gain.cancelScheduledValues(now);
    this.master.gain.setTargetAtTime(0, now, FADE / 3);
    for (const source of this.sources) source.stop(now + 2 * FADE);
    this.sources.clear();
    this.pending = [];
  }

  /** Schedule what comes next, and fetch what comes then. */
  private advance(): void {
    const context = this.context!;
    const last = this.scheduled[this.scheduled.length - 1];
    if (!last) return;
    const end = last.when + last.to - last.from;
    const missing = context.currentTime + AHEAD - end;
    if (missing > LEAST) {
      const from = this.loop && Math.abs(last.to - this.loop.stop) < 1e-9 ? this.loop.start : last.to;
      for (const stretch of stretches(from, end, missing, this.duration, this.loop)) this.schedule(stretch);
    }
    this.retry();
    this.prefetch(this.scheduled[this.scheduled.length - 1]!.to);
    this.scheduled = this.scheduled.filter(
      (one, index, all) => index === all.length - 1 || one.when + one.to - one.from > context.currentTime - 2,
    );
    const final = this.scheduled[this.scheduled.length - 1]!;
    if (final.to >= this.duration - 1e-6 && context.currentTime > final.when + final.to - final.from && !this.loop)
      this.stopAtEnd();
  }

  private stopAtEnd(): void {
    this.pause();
    this.rest = this.duration;
    this.onChange();
  }

  private schedule(stretch: Stretch): void {
    this.scheduled.push(stretch);
    for (const lane of this.lanes) {
      for (const { segment, from, to } of coverage(lane.segments, stretch.from, stretch.to)) {
        const own = { when: stretch.when + from - stretch.from, from: from - segment.start, to: to - segment.start };
        for (const part of chunked(own, segment.sound.rate, CHUNK_SAMPLES))
          this.start({ lane: lane.id, segment, part });
      }
    }
  }

  private retry(): void {
    const waiting = this.pending;
    this.pending = [];
    for (const one of waiting) this.start(one);
  }

  /** Start a part of a chunk at its time, or as soon as it is there, then in its middle. */
  private start(pending: Pending): void {
    const { segment, part, lane } = pending;
    const context = this.context!;
    const rate = segment.sound.rate;
    const channels = this.chunks.get(segment.sound, part.chunk);
    const late = Math.max(0, Math.ceil((context.currentTime + 0.01 - part.when) * rate));
    if (late >= part.length) return;
    const available = channels ? channels[0]!.length - part.offset : 0;
    if (!channels || available < Math.min(part.length, late + 1)) {
      this.pending.push(pending);
      return;
    }
    const length = Math.min(part.length, available) - late;
    const node = this.running.get(lane)?.node;
    if (length <= 0 || !node) return;
    const buffer = context.createBuffer(channels.length, length, rate);
    channels.forEach((channel, index) => {
      buffer.copyToChannel(channel.subarray(part.offset + late, part.offset + late + length), index);
    });
    const source = context.createBufferSource();
    source.buffer = buffer;
    source.connect(node);
    source.onended = () => {
      this.sources.delete(source);
      source.disconnect();
    };
    source.start(part.when + late / rate);
    this.sources.add(source);
  }

  private prefetch(position: number): void {
    for (const [from, to] of this.upcoming(position)) {
      for (const lane of this.lanes) {
        for (const { segment, from: first, to: stop } of coverage(lane.segments, from, to)) {
          const own = { when: 0, from: first - segment.start, to: stop - segment.start };
          for (const part of chunked(own, segment.sound.rate, CHUNK_SAMPLES))
            void this.chunks.load(segment.sound, part.chunk);
        }
      }
    }
  }

  private upcoming(position: number): [number, number][] {
    const ahead: [number, number][] = [[position, Math.min(this.duration, position + PREFETCH)]];
    if (this.loop) ahead.push([this.loop.start, Math.min(this.loop.stop, this.loop.start + PREFETCH / 2)]);
    return ahead;
  }

  /** Wait until what sounds first is there, but not forever. */
  private async ready(position: number): Promise<void> {
    const loads: Promise<void>[] = [];
    for (const lane of this.lanes) {
      for (const { segment, from, to } of coverage(lane.segments, position, Math.min(this.duration, position + 0.5))) {
        const own = { when: 0, from: from - segment.start, to: to - segment.start };
        for (const part of chunked(own, segment.sound.rate, CHUNK_SAMPLES))
          loads.push(this.chunks.load(segment.sound, part.chunk));
      }
    }
    await Promise.race([Promise.all(loads), new Promise((resolve) => setTimeout(resolve, PATIENCE))]);
  }

  /** Make the nodes fit the lanes. */
  private match(): void {
    if (!this.context || !this.master) return;
    const now = this.context.currentTime;
    const wanted = new Set(this.lanes.map((lane) => lane.id));
    for (const [id, { node }] of this.running) {
      if (wanted.has(id)) continue;
      node.disconnect();
      this.running.delete(id);
    }
    for (const lane of this.lanes) {
      const running = this.running.get(lane.id);
      if (running) {
        if (running.lane.gain !== lane.gain) running.node.gain.setTargetAtTime(lane.gain, now, FADE / 2);
        running.lane = lane;
        continue;
      }
      const node = this.context.createGain();
      node.gain.value = lane.gain;
      node.connect(this.master);
      this.running.set(lane.id, { lane, node });
    }
  }

  private close(): void {
    void this.context?.close();
    this.context = null;
    this.master = null;
    this.running.clear();
    this.sources.clear();
  }
}

/** Which segment of a lane sounds when: the last one that has its samples there, as far as they reach. */
export function coverage(
  segments: readonly Segment[],
  from: number,
  to: number,
): { segment: Segment; from: number; to: number }[] {
  const found: { segment: Segment; from: number; to: number }[] = [];
  let free: [number, number][] = [[from, to]];
  for (const segment of [...segments].reverse()) {
    const [start, stop] = [segment.start, segment.start + segment.sound.finalSamples / segment.sound.rate];
    const rest: [number, number][] = [];
    for (const [a, b] of free) {
      const [first, last] = [Math.max(a, start), Math.min(b, stop)];
      if (first >= last) {
        rest.push([a, b]);
        continue;
      }
      found.push({ segment, from: first, to: last });
      if (a < first) rest.push([a, first]);
      if (last < b) rest.push([last, b]);
    }
    free = rest;
  }
  return found.sort((a, b) => a.from - b.from);
}
