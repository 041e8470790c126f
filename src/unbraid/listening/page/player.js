"use strict";
// Plays the sounds of a trial, all on one clock: whichever is heard, the place in the excerpt goes on.

class Player {
  constructor(onEnd) {
    this.context = new AudioContext();
    this.onEnd = onEnd;
    this.sounds = new Map();
    this.loop = null; // [begin, end] in seconds
    this.playing = false;
    this.offset = 0;
    this.current = null;
  }

  async load(ids) {
    this.stop();
    this.sounds = new Map(await Promise.all(ids.map(async (id) => [id, await this.decode(id)])));
    this.duration = Math.max(...[...this.sounds.values()].map((buffer) => buffer.duration));
    this.loop = null;
    this.offset = 0;
    this.current = null;
  }

  async decode(id) {
    return this.context.decodeAudioData(location.protocol === "file:" ? await fromScript(id) : await fromServer(id));
  }

  // Where the excerpt is now, in seconds.
  get position() {
    if (!this.playing) return this.offset;
    const place = this.offset + this.context.currentTime - this.began;
    if (!this.loop) return Math.min(place, this.duration);
    const [begin, end] = this.loop;
    return place < end ? place : begin + ((place - begin) % (end - begin));
  }

  async play(id) {
    await this.context.resume();
    let at = this.position;
    if (at >= this.duration - 0.01) at = this.loop ? this.loop[0] : 0;
    if (this.loop && (at < this.loop[0] || at >= this.loop[1])) at = this.loop[0];
    this.silence();
    const source = this.context.createBufferSource();
    source.buffer = this.sounds.get(id);
    if (this.loop) [source.loop, source.loopStart, source.loopEnd] = [true, ...this.loop];
    const gain = this.context.createGain();
    const now = this.context.currentTime;
    gain.gain.setValueAtTime(0, now);
    gain.gain.linearRampToValueAtTime(1, now + 0.01);
    source.connect(gain).connect(this.context.destination);
    source.onended = () => {
      if (this.source !== source) return;
      this.playing = false;
      this.offset = 0;
      this.onEnd();
    };
    source.start(now, at);
    Object.assign(this, { source, gain, began: now, offset: at, playing: true, current: id });
  }

  silence() {
    if (!this.source) return;
    const [source, gain] = [this.source, this.gain];
    this.source = null;
    gain.gain.setTargetAtTime(0, this.context.currentTime, 0.003);
    source.stop(this.context.currentTime + 0.02);
  }

  stop() {
    this.offset = this.playing ? this.position : this.offset;
    this.silence();
    this.playing = false;
  }

  async seek(seconds) {
    const goesOn = this.playing;
    this.stop();
    this.offset = Math.min(Math.max(seconds, 0), this.duration);
    if (goesOn) await this.play(this.current);
  }

  async setLoop(loop) {
    const goesOn = this.playing;
    this.stop();
    this.loop = loop;
    if (goesOn) await this.play(this.current);
  }
}

async function fromServer(id) {
  const answer = await fetch(`audio/${id}.flac`);
  if (!answer.ok) throw new Error(`audio/${id}.flac is missing (${answer.status})`);
  return answer.arrayBuffer();
}

// A page that is opened from a disk may not fetch files, but it may run scripts.
async function fromScript(id) {
  await new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = `audio/${id}.js`;
    script.onload = resolve;
    script.onerror = () => reject(new Error(`audio/${id}.js is missing`));
    document.head.append(script);
  });
  const text = atob(window.SOUNDS[id]);
  delete window.SOUNDS[id];
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0)).buffer;
}
