/** Runs on the audio thread: hands every block of the microphone on, with the time of its first sample. */

declare const currentTime: number;
declare const registerProcessor: (name: string, processor: unknown) => void;
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}

class Recorder extends AudioWorkletProcessor {
  process(inputs: Float32Array[][]): boolean {
    const channel = inputs[0]?.[0];
    if (channel) this.port.postMessage({ time: currentTime, samples: channel.slice() });
    return true;
  }
}

registerProcessor("unbraid-recorder", Recorder);
