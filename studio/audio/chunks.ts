/** Samples of sounds, fetched in chunks and kept while there is room. */

import { getSamples } from "../api/client.ts";

export const CHUNK_SAMPLES = 65536;
const RETRY = 600; // milliseconds
const ROOM_BYTES = 384 * 1024 * 1024;

/** The id of a song that only this page has. */
export const LOCAL = "local";

export interface SoundShape {
  readonly id: string;
  readonly rate: number;
  readonly nChannels: number;
  readonly nSamples: number;
  /** Samples that are there already. */
  readonly finalSamples: number;
}

interface Chunk {
  /** One array for each channel; null while it is fetched, or if it is not final yet. */
  channels: Float32Array<ArrayBuffer>[] | null;
  /** How much of the sound was final when it was asked for. */
  asked: number;
  loading: Promise<void> | null;
  bytes: number;
}

export class Chunks {
  private readonly kept = new Map<string, Chunk>();
  private bytes = 0;

  /** Called when samples have arrived. */
  onArrival: () => void = () => {};
  /** Called with what went wrong. */
  onError: (error: unknown) => void = () => {};

  /** The samples of a chunk, or null if they are not there; then they are asked for. */
  get(sound: SoundShape, index: number): Float32Array<ArrayBuffer>[] | null {
    const key = `${sound.id}/${index}`;
    const chunk = this.kept.get(key);
    if (chunk?.channels && this.isWhole(chunk, sound, index)) {
      this.kept.delete(key); // the one used last stands last
      this.kept.set(key, chunk);
      return chunk.channels;
    }
    void this.load(sound, index);
    return chunk?.channels ?? null;
  }

  /** Put samples where the server's would be, such as those of a file that is still on its way there. */
  fill(id: string, channels: readonly Float32Array<ArrayBuffer>[]): void {
    const n = channels[0]?.length ?? 0;
    for (let index = 0; index * CHUNK_SAMPLES < n; index++) {
      const parts = channels.map((channel) => channel.slice(index * CHUNK_SAMPLES, (index + 1) * CHUNK_SAMPLES));
      this.keep(`${id}/${index}`, { channels: parts, asked: Infinity, loading: null, bytes: 0 });
    }
  }

  async load(sound: SoundShape, index: number): Promise<void> {
    const key = `${sound.id}/${index}`;
    const chunk = this.kept.get(key) ?? { channels: null, asked: -1, loading: null, bytes: 0 };
    if (sound.id === LOCAL) return undefined;
    if (chunk.loading) return chunk.loading;
    if (this.isWhole(chunk, sound, index) || chunk.asked >= sound.finalSamples) return undefined;
    const start = index * CHUNK_SAMPLES;
    const stop = Math.min(start + CHUNK_SAMPLES, sound.finalSamples);
    if (start >= stop) return undefined;
    this.kept.set(key, chunk);
    chunk.asked = sound.finalSamples;
    chunk.loading = this.fetch(sound, chunk, key, start, stop).finally(() => (chunk.loading = null));
    return chunk.loading;
  }

  private async fetch(sound: SoundShape, chunk: Chunk, key: string, start: number, stop: number): Promise<void> {
    try {
      const samples = await getSamples(sound.id, start, stop);
      if (!samples) return void window.setTimeout(() => (chunk.asked = -1), RETRY);
      chunk.channels = deinterleaved(samples, sound.nChannels);
      this.keep(key, chunk);
      this.onArrival();
    } catch (error) {
      chunk.asked = -1;
      this.onError(error);
    }
  }

  private isWhole(chunk: Chunk, sound: SoundShape, index: number): boolean {
    const wanted = Math.min(CHUNK_SAMPLES, sound.nSamples - index * CHUNK_SAMPLES);
    return (chunk.channels?.[0]?.length ?? 0) >= wanted;
  }

  private keep(key: string, chunk: Chunk): void {
    this.bytes -= chunk.bytes;
    chunk.bytes = (chunk.channels ?? []).reduce((total, channel) => total + channel.byteLength, 0);
    this.bytes += chunk.bytes;
    this.kept.delete(key);
    this.kept.set(key, chunk);
    for (const [oldest, one] of this.kept) {
      if (this.bytes <= ROOM_BYTES) break;
      if (one.loading || oldest === key) continue;
      this.kept.delete(oldest);
      this.bytes -= one.bytes;
    }
  }
}

function deinterleaved(samples: Float32Array, nChannels: number): Float32Array<ArrayBuffer>[] {
  const n = Math.floor(samples.length / nChannels);
  return Array.from({ length: nChannels }, (_, channel) => {
    const own = new Float32Array(n);
    for (let index = 0, at = channel; index < n; index++, at += nChannels) own[index] = samples[at]!;
    return own;
  });
}
