/** The notes of a MIDI file, to be seen over the spectrogram. The server reads the file again, and decides. */

export interface Note {
  readonly start: number;
  readonly duration: number;
  readonly pitch: number;
}

export interface MidiTrack {
  /** From 1, as the command line counts: only what has notes, and every channel of a track alone. */
  readonly number: number;
  readonly name: string;
  readonly isDrum: boolean;
  readonly notes: readonly Note[];
}

export class MidiError extends Error {}

interface TickedNote {
  readonly start: number;
  readonly stop: number;
  readonly pitch: number;
  readonly channel: number;
}

interface Chunk {
  name: string;
  notes: TickedNote[];
  tempos: { tick: number; seconds: number }[];
}

const DRUM_CHANNEL = 9;
const USUAL_TEMPO = 0.5; // seconds per beat

/** Read all tracks that have notes, in the order of the file; formats 0 and 1. */
export function readMidi(bytes: ArrayBuffer): MidiTrack[] {
  const view = new DataView(bytes);
  if (bytes.byteLength < 14 || tag(view, 0) !== "MThd") throw new MidiError("This is no MIDI file: export it again.");
  const format = view.getUint16(8);
  const division = view.getInt16(12);
  if (format === 2)
    throw new MidiError("This is MIDI of format 2, whose tracks have no common clock: save it as format 1.");
  if (division === 0) throw new MidiError("The clock of this MIDI file stands still: export it again.");
  const chunks: Chunk[] = [];
  for (let at = 8 + view.getUint32(4); at + 8 <= bytes.byteLength;) {
    const length = view.getUint32(at + 4);
    if (tag(view, at) === "MTrk")
      chunks.push(new TrackReader(view, at + 8, Math.min(at + 8 + length, bytes.byteLength)).read());
    at += 8 + length;
  }
  const seconds = clockOf(chunks, division);
  return chunks.flatMap(channelsOf).map(({ name, channel, notes }, index) => ({
    number: index + 1,
    name,
    isDrum: channel === DRUM_CHANNEL,
    notes: inSeconds(notes, seconds),
  }));
}

function channelsOf(chunk: Chunk): { name: string; channel: number; notes: TickedNote[] }[] {
  const channels = [...new Set(chunk.notes.map((note) => note.channel))].sort((a, b) => a - b);
  return channels.map((channel) => ({
    name: channels.length > 1 || !chunk.name ? `${chunk.name} channel ${channel + 1}`.trim() : chunk.name,
    channel,
    notes: chunk.notes.filter((note) => note.channel === channel),
  }));
}

function inSeconds(notes: readonly TickedNote[], seconds: (tick: number) => number): Note[] {
  return notes
    .map(({ start, stop, pitch }) => ({ start: seconds(start), duration: seconds(stop) - seconds(start), pitch }))
    .sort((a, b) => a.start - b.start || a.pitch - b.pitch);
}

/** The function from ticks to seconds, over all changes of tempo. */
function clockOf(chunks: readonly Chunk[], division: number): (tick: number) => number {
  if (division < 0) {
    const frames = -(division >> 8);
    const perSecond = (frames === 29 ? 30 / 1.001 : frames) * Math.max(1, division & 0xff);
    return (tick) => tick / perSecond;
  }
  const changes = chunks.flatMap((chunk) => chunk.tempos).sort((a, b) => a.tick - b.tick);
  const pieces = [{ tick: 0, at: 0, perTick: USUAL_TEMPO / division }];
  for (const change of changes) {
    const last = pieces[pieces.length - 1]!;
    pieces.push({
      tick: change.tick,
      at: last.at + (change.tick - last.tick) * last.perTick,
      perTick: change.seconds / division,
    });
  }
  return (tick) => {
    const piece = pieces.findLast((one) => one.tick <= tick) ?? pieces[0]!;
    return piece.at + (tick - piece.tick) * piece.perTick;
  };
}

function tag(view: DataView, at: number): string {
  return String.fromCharCode(view.getUint8(at), view.getUint8(at + 1), view.getUint8(at + 2), view.getUint8(at + 3));
}

class TrackReader {
  private tick = 0;
  private status = 0;
  private readonly sounding = new Map<number, number>();
  private readonly chunk: Chunk = { name: "", notes: [], tempos: [] };

  constructor(
    private readonly view: DataView,
    private at: number,
    private readonly end: number,
  ) {}

  read(): Chunk {
    try {
      while (this.at < this.end) {
        this.tick += this.variable();
        this.event();
      }
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new MidiError("This MIDI file ends in the middle: export it again.");
    }
    for (const key of [...this.sounding.keys()]) this.stop(key);
    return this.chunk;
  }

  private event(): void {
    if (this.view.getUint8(this.at) >= 0x80) this.status = this.view.getUint8(this.at++);
    const kind = this.status & 0xf0;
    if (this.status === 0xff) this.meta();
    else if (this.status === 0xf0 || this.status === 0xf7) this.at += this.variable();
    else if (kind === 0xc0 || kind === 0xd0) this.at += 1;
    else if (kind >= 0x80) this.message(kind, this.status & 0x0f);
    else throw new MidiError("This MIDI file is damaged: export it again.");
  }

  private message(kind: number, channel: number): void {
    const [pitch, velocity] = [this.view.getUint8(this.at), this.view.getUint8(this.at + 1)];
    this.at += 2;
    if (kind !== 0x90 && kind !== 0x80) return;
    const key = channel * 128 + pitch;
    this.stop(key);
    if (kind === 0x90 && velocity > 0) this.sounding.set(key, this.tick);
  }

  private stop(key: number): void {
    const start = this.sounding.get(key);
    if (start === undefined) return;
    this.sounding.delete(key);
    if (this.tick === start) return;
    this.chunk.notes.push({ start, stop: this.tick, pitch: key % 128, channel: Math.floor(key / 128) });
  }

  private meta(): void {
    const kind = this.view.getUint8(this.at++);
    const length = this.variable();
    if (kind === 0x51 && length === 3) {
      const micro = (this.view.getUint16(this.at) << 8) | this.view.getUint8(this.at + 2);
      this.chunk.tempos.push({ tick: this.tick, seconds: micro / 1e6 });
    } else if (kind === 0x03 && !this.chunk.name) {
      const text = new Uint8Array(this.view.buffer, this.view.byteOffset + this.at, length);
      this.chunk.name = new TextDecoder("latin1").decode(text).replaceAll("\0", "").trim();
    }
    this.at += length;
  }

  private variable(): number {
    let value = 0;
    for (let count = 0; count < 4; count++) {
      const byte = this.view.getUint8(this.at++);
      value = (value << 7) | (byte & 0x7f);
      if (byte < 0x80) break;
    }
    return value;
  }
}
