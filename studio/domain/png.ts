/** A painting as PNG, as masks are read: green the sound, red what it is not, black nothing; the lowest band below. */

import { N_BANDS } from "./mel.ts";
import { BLOCK_CELLS, BLOCK_COLUMNS, FULL, type Painting, packed } from "./painting.ts";
import type { Laid } from "./strokes.ts";

export interface Picture {
  readonly width: number;
  readonly height: number;
  /** Red, green, blue, row after row from above. */
  readonly pixels: Uint8Array;
}

/** Draw a painting; in long songs so many frames share a column that there are at most `maxColumns`. */
export function pictureOf(painting: Painting, maxColumns: number): Picture {
  const shared = Math.ceil(painting.nColumns / maxColumns);
  const width = Math.ceil(painting.nColumns / shared);
  const sums = new Float32Array(2 * width * N_BANDS);
  for (const [index, block] of painting.blocks) {
    for (let cell = 0; cell < block.length; cell++) {
      const value = block[cell]!;
      const column = index * BLOCK_COLUMNS + (cell % BLOCK_COLUMNS);
      if (!value || column >= painting.nColumns) continue;
      const place = (N_BANDS - 1 - Math.floor(cell / BLOCK_COLUMNS)) * width + Math.floor(column / shared);
      sums[2 * place + (value > 0 ? 1 : 0)]! += Math.abs(value) / shared;
    }
  }
  const pixels = new Uint8Array(3 * width * N_BANDS);
  for (let place = 0; place < width * N_BANDS; place++) {
    const [red, green] = [sums[2 * place]!, sums[2 * place + 1]!];
    if (green >= red) pixels[3 * place + 1] = Math.min(FULL, Math.round(green));
    else pixels[3 * place] = Math.min(FULL, Math.round(red));
  }
  return { width, height: N_BANDS, pixels };
}

/** The command that lays a picture on a painting of so many columns. */
export function laidFrom({ width, height, pixels }: Picture, nColumns: number): Laid {
  const shared = nColumns > width ? Math.ceil(nColumns / width) : nColumns / width;
  const blocks: [number, number[]][] = [];
  for (let index = 0; index * BLOCK_COLUMNS < nColumns; index++) {
    const cells = new Int16Array(BLOCK_CELLS);
    for (let cell = 0; cell < BLOCK_CELLS; cell++) {
      const column = index * BLOCK_COLUMNS + (cell % BLOCK_COLUMNS);
      if (column >= nColumns) continue;
      const row = Math.floor(((N_BANDS - 1 - Math.floor(cell / BLOCK_COLUMNS)) * height) / N_BANDS);
      const place = 3 * (row * width + Math.min(width - 1, Math.floor(column / shared)));
      const [red, green] = [pixels[place]!, pixels[place + 1]!];
      cells[cell] = green >= red ? green : -red;
    }
    if (cells.some((value) => value !== 0)) blocks.push([index, [...packed(cells)]]);
  }
  return { kind: "picture", sign: 1, confidence: 1, softness: 0, blocks };
}

/** Bytes of a PNG file of 8 bits and three colors. */
export async function pngOf({ width, height, pixels }: Picture): Promise<Uint8Array<ArrayBuffer>> {
  const lines = new Uint8Array(height * (3 * width + 1));
  for (let row = 0; row < height; row++)
    lines.set(pixels.subarray(3 * width * row, 3 * width * (row + 1)), row * (3 * width + 1) + 1);
  const packed = new Blob([lines]).stream().pipeThrough(new CompressionStream("deflate"));
  const data = new Uint8Array(await new Response(packed).arrayBuffer());
  const head = new Uint8Array(13);
  new DataView(head.buffer).setUint32(0, width);
  new DataView(head.buffer).setUint32(4, height);
  head.set([8, 2, 0, 0, 0], 8);
  const parts = [
    Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a),
    chunk("IHDR", head),
    chunk("IDAT", data),
    chunk("IEND", new Uint8Array()),
  ];
  const file = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  let at = 0;
  for (const part of parts) {
    file.set(part, at);
    at += part.length;
  }
  return file;
}

function chunk(name: string, content: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(12 + content.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, content.length);
  bytes.set(new TextEncoder().encode(name), 4);
  bytes.set(content, 8);
  view.setUint32(8 + content.length, crc32(bytes.subarray(4, 8 + content.length)));
  return bytes;
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value >>> 0;
});

export function crc32(bytes: Uint8Array): number {
  let value = 0xffffffff;
  for (const byte of bytes) value = (value >>> 8) ^ CRC_TABLE[(value ^ byte) & 0xff]!;
  return (value ^ 0xffffffff) >>> 0;
}
