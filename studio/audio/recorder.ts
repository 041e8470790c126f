/** Records a hum against the playing song. */

import { USUAL_INPUT_LATENCY, countIn, hummedAt, peakDb, wavOf } from "../domain/recording.ts";
import type { Player } from "./player.ts";

export interface Hum {
  readonly wav: Blob;
  readonly seconds: number;
  /** Where it begins in the song. */
  readonly offset: number;
  /** The loudest sample, dB of full scale. */
  readonly peak: number;
}

export interface RecordingOptions {
  /** Where in the song to begin. */
  readonly position: number;
  readonly beats: number;
  readonly perMinute: number;
  /** Seconds by which hums usually come too late, on top of what the browser knows. */
  readonly manual: number;
}

export class MicrophoneError extends Error {}

const CLICK_SECONDS = 0.05;

export class Recorder {
  private blocks: { time: number; samples: Float32Array }[] = [];
  private stream: MediaStream | null = null;
  private node: AudioWorkletNode | null = null;
  private started = 0;
  private options: RecordingOptions | null = null;
  private readonly loaded = new WeakSet<AudioContext>();

  /** Loudness of the last block, 0 to 1, for a meter. */
  onLevel: (level: number) => void = () => {};

  constructor(private readonly player: Player) {}

  /** Ask for the microphone, count in, and play the song; resolves when the song begins. */
  async start(options: RecordingOptions): Promise<void> {
    this.player.pause();
    const context = this.player.audio();
    await context.resume();
    this.stream = await microphone();
    try {
      if (!this.loaded.has(context)) {
        await context.audioWorklet.addModule("/recorder.js");
        this.loaded.add(context);
      }
    } catch {
      this.release();
      throw new MicrophoneError("The recorder could not be loaded: reload the page.");
    }
    this.blocks = [];
    this.options = options;
    this.node = new AudioWorkletNode(context, "unbraid-recorder", { numberOfOutputs: 0 });
    this.node.port.onmessage = (event: MessageEvent<{ time: number; samples: Float32Array }>) => this.take(event.data);
    context.createMediaStreamSource(this.stream).connect(this.node);
    const { clicks, start } = countIn(context.currentTime + 0.15, options.beats, options.perMinute);
    clicks.forEach((when, index) => click(context, when, index === 0));
    this.started = Math.ceil(start * context.sampleRate) / context.sampleRate;
    await this.player.playAt(options.position, this.started);
  }

  /** Stop, and return what was hummed; null if nothing was. */
  stop(): Hum | null {
    this.player.pause();
    const { options } = this;
    const rate = this.player.audio().sampleRate;
    const input = (this.stream?.getAudioTracks()[0]?.getSettings() as { latency?: number } | undefined)?.latency;
    this.release();
    const kept = this.blocks.filter((block) => block.time + block.samples.length / rate > this.started);
    this.blocks = [];
    if (!kept.length || !options) return null;
    const samples = joined(kept.map((block) => block.samples));
    const latency = {
      output: this.player.outputLatency(),
      input: input || USUAL_INPUT_LATENCY,
      manual: options.manual,
    };
    return {
      wav: new Blob([wavOf(samples, rate)], { type: "audio/wav" }),
      seconds: samples.length / rate,
      offset: hummedAt(options.position + kept[0]!.time - this.started, latency),
      peak: peakDb(samples),
    };
  }

  private take(block: { time: number; samples: Float32Array }): void {
    this.blocks.push(block);
    this.onLevel(10 ** (peakDb(block.samples) / 20));
  }

  private release(): void {
    this.node?.disconnect();
    this.node?.port.close();
    this.node = null;
    this.stream?.getTracks().forEach((track) => track.stop());
    this.stream = null;
  }
}

async function microphone(): Promise<MediaStream> {
  if (!navigator.mediaDevices?.getUserMedia) {
    throw new MicrophoneError(
      "This page may not use the microphone: open it on 127.0.0.1 or over HTTPS, or drop a recording.",
    );
  }
  try {
    return await navigator.mediaDevices.getUserMedia({
      audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
    });
  } catch (error) {
    const name = error instanceof DOMException ? error.name : "";
    if (name === "NotFoundError")
      throw new MicrophoneError("There is no microphone: plug one in, or drop a recording.");
    if (name === "NotAllowedError")
      throw new MicrophoneError(
        "The browser does not let this page hear: allow the microphone in the address bar, or drop a recording.",
      );
    throw new MicrophoneError("The microphone cannot be used: is another program holding it? Or drop a recording.");
  }
}

function click(context: AudioContext, when: number, isFirst: boolean): void {
  const tone = context.createOscillator();
  const gain = context.createGain();
  tone.frequency.value = isFirst ? 1320 : 880;
  gain.gain.setValueAtTime(0.25, when);
  gain.gain.exponentialRampToValueAtTime(0.001, when + CLICK_SECONDS);
  tone.connect(gain).connect(context.destination);
  tone.start(when);
  tone.stop(when + CLICK_SECONDS);
}

function joined(blocks: readonly Float32Array[]): Float32Array {
  const whole = new Float32Array(blocks.reduce((total, block) => total + block.length, 0));
  let at = 0;
  for (const block of blocks) {
    whole.set(block, at);
    at += block.length;
  }
  return whole;
}
