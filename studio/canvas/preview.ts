/** A song as the browser reads it: peaks at once, the spectrogram as it is computed. */

import { canPreview } from "../domain/previewing.ts";
import { type Bins, PEAK_STEP, PreviewPyramid, TILE_BINS, coarser, levelsOf, peaksOf } from "../domain/pyramid.ts";

export interface Preview {
  readonly rate: number;
  readonly channels: Float32Array<ArrayBuffer>[];
  readonly peaks: Bins[];
  readonly pyramid: PreviewPyramid;
  /** Compute the spectrogram; calls back whenever there is more of it. */
  analyze(onMore: () => void): void;
}

const PATIENCE = 3000; // milliseconds, for a file whose length cannot be told

/** Decode a file here; null where it is too large or too long for that, or of a kind that only the server reads. */
export async function previewOf(file: Blob): Promise<Preview | null> {
  if (!canPreview(file.size, 0) || !canPreview(file.size, await secondsOf(file))) return null;
  try {
    const context = new OfflineAudioContext(1, 1, 44100);
    const audio = await context.decodeAudioData(await file.arrayBuffer());
    const channels = Array.from({ length: audio.numberOfChannels }, (_, index) => audio.getChannelData(index));
    const peaks = [peaksOf(channels, PEAK_STEP)];
    for (let level = 1; level < levelsOf(peaks[0]!.length / 2, TILE_BINS); level++)
      peaks.push(coarser(peaks[level - 1]!));
    const pyramid = new PreviewPyramid(audio.duration);
    return {
      rate: audio.sampleRate,
      channels,
      peaks,
      pyramid,
      analyze: (onMore) => analyze(channels, audio.sampleRate, pyramid, onMore),
    };
  } catch {
    return null; // the server reads more formats than a browser does
  }
}

/** How long a recording is, by its container: nothing of it is decoded. */
function secondsOf(file: Blob): Promise<number | null> {
  const address = URL.createObjectURL(file);
  const audio = new Audio();
  return new Promise<number | null>((resolve) => {
    audio.onloadedmetadata = () => resolve(audio.duration);
    audio.onerror = () => resolve(null);
    window.setTimeout(() => resolve(null), PATIENCE);
    audio.preload = "metadata";
    audio.src = address;
  }).finally(() => {
    audio.onloadedmetadata = audio.onerror = null;
    audio.removeAttribute("src");
    URL.revokeObjectURL(address);
  });
}

function analyze(channels: readonly Float32Array[], rate: number, pyramid: PreviewPyramid, onMore: () => void): void {
  const samples = new Float32Array(channels[0]!.length);
  for (const channel of channels)
    for (let index = 0; index < samples.length; index++) samples[index]! += channel[index]! / channels.length;
  const worker = new Worker("/analysis.js", { type: "module" });
  worker.onmessage = (event: MessageEvent<{ first: number; frames: Uint8Array } | null>) => {
    if (event.data) pyramid.write(event.data.first, event.data.frames);
    else worker.terminate();
    onMore();
  };
  worker.onerror = () => worker.terminate();
  worker.postMessage({ samples, rate, nFrames: pyramid.nFrames }, [samples.buffer]);
}
