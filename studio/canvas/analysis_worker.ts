/** Computes a first spectrogram beside the page, so that a dropped song is seen before the server has read it. */

import { PreviewPyramid } from "../domain/pyramid.ts";
import { Spectrum } from "../domain/spectrum.ts";

const BATCH = 256;

self.onmessage = (event: MessageEvent<{ samples: Float32Array; rate: number; nFrames: number }>) => {
  const { samples, rate, nFrames } = event.data;
  const spectrum = new Spectrum(samples, rate, PreviewPyramid.FRAMES_PER_SECOND);
  for (let first = 0; first < nFrames; first += BATCH) {
    const frames = spectrum.frames(first, Math.min(nFrames, first + BATCH));
    self.postMessage({ first, frames }, { transfer: [frames.buffer] });
  }
  self.postMessage(null);
};
