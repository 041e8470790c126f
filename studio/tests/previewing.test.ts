import assert from "node:assert/strict";
import { test } from "node:test";
import { canPreview } from "../domain/previewing.ts";

test("only what is known to be short is decoded in the page", () => {
  assert.equal(canPreview(30e6, 600), true);
  assert.equal(canPreview(30e6, 1800), true);
  assert.equal(canPreview(30e6, 1801), false);
  assert.equal(canPreview(30e6, 3 * 3600), false);
  assert.equal(canPreview(30e6, Infinity), false, "a stream that does not tell its length");
  assert.equal(canPreview(30e6, NaN), false);
  assert.equal(canPreview(30e6, null), false, "a file that the browser does not know");
  assert.equal(canPreview(200 * 1024 * 1024, 60), false);
});
