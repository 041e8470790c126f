import assert from "node:assert/strict";
import { test } from "node:test";
import { PaintHistory } from "../domain/history.ts";
import { type KeptCommand, kept, keptText, opened } from "../domain/keeping.ts";
import { rowOf } from "../domain/mel.ts";
import { BLOCK_CELLS, Painting, packed, unpacked } from "../domain/painting.ts";
import { laidFrom, pictureOf } from "../domain/png.ts";
import { type Command, type Rectangle, type Stroke, grown } from "../domain/strokes.ts";

const rectangle = (left: number, right: number, sign: 1 | -1 | 0 = 1, confidence = 1): Rectangle => ({
  kind: "rectangle",
  sign,
  confidence,
  softness: 0,
  from: { column: left, row: 10 },
  to: { column: right, row: 20 },
});
const brush = (points: [number, number][], change: Partial<Stroke> = {}): Stroke => ({
  kind: "brush",
  sign: 1,
  confidence: 1,
  softness: 0,
  radiusColumns: 5,
  radiusRows: 5,
  points: points.map(([column, row]) => ({ column, row })),
  ...change,
});
const cells = (painting: Painting) =>
  Array.from({ length: 80 * painting.nColumns }, (_, cell) =>
    painting.at(cell % painting.nColumns, Math.floor(cell / painting.nColumns)),
  ).join();

test("a rectangle paints its cells and no others, with its confidence", () => {
  const history = new PaintHistory(new Painting(200));
  history.run(rectangle(60, 70, 1, 0.5));
  assert.ok(Math.abs(history.painting.at(65, 15) - 0.5) < 0.01);
  assert.equal(history.painting.at(59, 15), 0);
  assert.equal(history.painting.at(65, 9), 0);
  assert.equal(history.painting.share().positive, 100 / (80 * 200));
});

test("negative paint takes the place of positive paint: no cell has both", () => {
  const history = new PaintHistory(new Painting(100));
  history.run(rectangle(0, 50));
  history.run(rectangle(25, 75, -1));
  assert.equal(history.painting.at(10, 15), 1);
  assert.equal(history.painting.at(30, 15), -1);
  assert.deepEqual(history.painting.share(), { positive: 250 / 8000, negative: 500 / 8000 });
});

test("a stroke over itself is no surer than once, and the eraser takes it away", () => {
  const history = new PaintHistory(new Painting(100));
  history.run(
    brush(
      [
        [20, 40],
        [60, 40],
        [20, 40],
      ],
      { confidence: 0.4 },
    ),
  );
  assert.ok(Math.abs(history.painting.at(40, 40) - 0.4) < 0.01);
  history.run(
    brush(
      [
        [0, 40],
        [99, 40],
      ],
      { sign: 0, radiusRows: 10 },
    ),
  );
  assert.ok(history.painting.isEmpty);
});

test("a soft brush fades from its middle to its edge", () => {
  const history = new PaintHistory(new Painting(100));
  history.run(brush([[50.5, 40.5]], { softness: 1, radiusRows: 10, radiusColumns: 10 }));
  const values = [40, 43, 46, 49].map((row) => history.painting.at(50, row));
  assert.equal(values[0], 1);
  assert.ok(values.every((value, index) => index === 0 || value < values[index - 1]!));
});

test("the harmonics brush paints the overtones, and nothing between them", () => {
  const history = new PaintHistory(new Painting(50));
  history.run(brush([[25, rowOf(1000)]], { kind: "harmonics", radiusRows: 1, radiusColumns: 2 }));
  for (const number of [1, 2, 3, 4, 5, 6, 7]) {
    assert.ok(history.painting.at(25, Math.floor(rowOf(1000 * number))) > 0, `partial ${number}`);
  }
  assert.equal(history.painting.at(25, Math.floor(rowOf(1500))), 0);
  const wide = new PaintHistory(new Painting(50));
  wide.run(brush([[25, rowOf(1000)]], { kind: "harmonics", radiusRows: 8, radiusColumns: 2 }));
  assert.equal(wide.painting.at(25, Math.floor(rowOf(4500))), 0, "a wide brush keeps them apart");
});

test("a lasso fills the inside of what was drawn", () => {
  const history = new PaintHistory(new Painting(100));
  const points = [
    [10, 10],
    [50, 10],
    [30, 50],
  ].map(([column, row]) => ({ column: column!, row: row! }));
  history.run({ kind: "lasso", sign: -1, confidence: 1, softness: 0, points });
  assert.equal(history.painting.at(30, 20), -1);
  assert.equal(history.painting.at(12, 40), 0);
});

test("a stroke that grows paints what its whole command paints", () => {
  const points: [number, number][] = [
    [10, 10],
    [30, 60],
    [90, 20],
    [64, 64],
  ];
  const [growing, whole] = [new PaintHistory(new Painting(128)), new PaintHistory(new Painting(128))];
  const stroke = brush(points, { softness: 0.7, confidence: 0.8 });
  const active = growing.begin(stroke);
  stroke.points.forEach((point, index) => active.grow(grown(stroke, stroke.points[Math.max(0, index - 1)]!, point)));
  active.end(stroke);
  whole.run(stroke);
  assert.deepEqual(cells(growing.painting), cells(whole.painting));
});

test("undo and redo go through any number of commands, within the budget of memory", () => {
  const generous = new PaintHistory(new Painting(400));
  const tight = new PaintHistory(new Painting(400), 20_000);
  const commands: Command[] = Array.from({ length: 300 }, (_, index) => {
    const place = (index * 37) % 380;
    if (index % 3 === 0) return rectangle(place, place + 20, index % 2 ? 1 : -1, 0.6);
    return brush(
      [
        [place, index % 80],
        [(place + 50) % 400, (index * 7) % 80],
      ],
      { sign: ([1, -1, 0] as const)[index % 3]! },
    );
  });
  const seen: string[] = [];
  for (const command of commands) {
    seen.push(cells(generous.painting));
    generous.run(command);
    tight.run(command);
    assert.ok(tight.keptBytes <= 20_000);
  }
  const last = cells(generous.painting);
  for (const history of [generous, tight]) {
    for (let index = commands.length - 1; index >= 0; index -= 1) {
      history.undo();
      if (index % 50 === 0) assert.deepEqual(cells(history.painting), seen[index]);
    }
    assert.equal(history.undo(), null);
    while (history.redo()) continue;
    assert.deepEqual(cells(history.painting), last);
  }
});

test("a new command after undo forgets what was undone", () => {
  const history = new PaintHistory(new Painting(100));
  history.run(rectangle(0, 10));
  history.undo();
  history.run(rectangle(20, 30));
  assert.equal(history.canRedo, false);
  assert.equal(history.painting.at(5, 15), 0);
});

test("commands that were kept paint the same again", () => {
  const history = new PaintHistory(new Painting(100));
  history.run(rectangle(0, 50));
  history.run(
    brush(
      [
        [20, 15],
        [60, 15],
      ],
      { sign: -1 },
    ),
  );
  const again = new PaintHistory(new Painting(100));
  again.load((JSON.parse(JSON.stringify(history.commands.map(kept))) as KeptCommand[]).map(opened));
  assert.deepEqual(cells(again.painting), cells(history.painting));
  assert.equal(again.canUndo, true);
});

test("cells are packed without loss", () => {
  const block = Int16Array.from({ length: BLOCK_CELLS }, (_, index) => (index % 100 < 40 ? 0 : (index % 511) - 255));
  assert.deepEqual(unpacked(packed(block)), block);
});

test("a picture that was sent lays the same paint down again, and is undone like any other command", () => {
  const history = new PaintHistory(new Painting(270));
  history.run(rectangle(3, 201, 1, 0.6));
  history.run(rectangle(99, 150, -1));
  for (const maxColumns of [1000, 90]) {
    const picture = pictureOf(history.painting, maxColumns);
    const again = new PaintHistory(new Painting(270));
    again.run(rectangle(258, 262));
    const before = cells(again.painting);
    again.run(opened(JSON.parse(keptText(laidFrom(picture, 270))) as KeptCommand));
    assert.equal(again.painting.at(260, 15), 1, "blocks without paint stay as they were");
    again.run(rectangle(258, 262, 0));
    assert.deepEqual(pictureOf(again.painting, maxColumns), picture);
    again.undo();
    again.undo();
    assert.equal(cells(again.painting), before);
  }
});

test("two megabytes of strokes are kept, and paint the same again", () => {
  const history = new PaintHistory(new Painting(4000));
  const random = (seed: number) => Math.abs(Math.sin(seed * 12.9898) * 43758.5453) % 1;
  let size = 0;
  for (let index = 0; size < 2e6; index++) {
    const start = 3900 * random(index);
    const points = Array.from({ length: 400 }, (_, step): [number, number] => [
      start + step / 7 + 3 * random(index + step),
      20 + 40 * random(index / 3) + 6 * Math.sin(step / 9),
    ]);
    const command = brush(points, { radiusColumns: 2, radiusRows: 1.5, sign: index % 3 === 0 ? -1 : 1 });
    history.run(opened(kept(command)));
    size += keptText(command).length;
  }
  const text = `[${history.commands.map(keptText).join()}]`;
  assert.ok(text.length > 1.9e6);
  const again = new PaintHistory(new Painting(4000));
  again.load((JSON.parse(text) as KeptCommand[]).map(opened));
  assert.equal(cells(again.painting), cells(history.painting));
});
