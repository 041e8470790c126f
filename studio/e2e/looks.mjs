/** How it looks and reads: light, tablet, narrow, names for screen readers. */

import assert from "node:assert/strict";

async function light({ page, shot }) {
  await page.getByRole("button", { name: "Light colors", exact: true }).click();
  await page.waitForTimeout(400);
  await shot("light");
  await page.setViewportSize({ width: 820, height: 1180 });
  await page.waitForTimeout(400);
  await shot("tablet-upright");
  await page.setViewportSize({ width: 1180, height: 820 });
  await page.waitForTimeout(400);
  await shot("tablet");
  await page.setViewportSize({ width: 1920, height: 1080 });
  await page.waitForTimeout(400);
  await shot("full-hd");
  const wide = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
  assert.equal(wide, false, "the page is wider than the window");
  await page.setViewportSize({ width: 1280, height: 720 });
}

async function namesForReaders({ page }) {
  const nameless = await page.evaluate(() =>
    [...document.querySelectorAll("button, a, input, select, canvas, [role=slider]")]
      .filter((element) => element.getAttribute("aria-hidden") !== "true")
      .filter(
        (element) =>
          !(
            element.getAttribute("aria-label") ||
            element.textContent.trim() ||
            element.closest("label")?.textContent.trim()
          ),
      )
      .map((element) => element.outerHTML.slice(0, 120)),
  );
  assert.deepEqual(nameless, []);
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keyboard" }).waitFor();
  await page.keyboard.press("Escape");
}

export const LOOKS = [
  ["light, tablet, full HD", light],
  ["names for screen readers", namesForReaders],
];
