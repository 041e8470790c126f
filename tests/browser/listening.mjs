// Takes a listening test as a person does: node listening.mjs URL DOWNLOADS [keep]
// Rates every sound with the keyboard and the mouse, reloads in between, and saves the answers.
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(new URL("../../studio/package.json", import.meta.url));
const { chromium } = require("playwright-core");
const [url, folder] = process.argv.slice(2);

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"],
});
const context = await browser.newContext({ viewport: { width: 1280, height: 720 }, acceptDownloads: true });
const page = await context.newPage();
const problems = [];
page.on("pageerror", (error) => problems.push(String(error)));
page.on("console", (message) => message.type() === "error" && problems.push(message.text()));

await page.goto(url);
await page.getByRole("button", { name: "Begin" }).click();
const alert = await page.getByRole("alert").textContent();
if (!alert.includes("Give a name")) throw new Error(`no word about the missing name: ${alert}`);
await page.getByLabel("Your name").fill("Zoë Test");
await page.getByRole("button", { name: "Begin" }).click();

let pages = 0;
for (;;) {
  await page.waitForSelector("h2");
  if (await page.getByRole("link", { name: "Save the answers" }).count()) break;
  await page.waitForSelector("input[type=range]");
  const sounds = await page.locator("input[type=range]").count();
  const next = page.getByRole("button", { name: "Next page" });
  if (!(await next.isDisabled())) throw new Error("a page can be left before anything was heard");
  await page.keyboard.press("l"); // sounds go on however slow the machine is
  await page.keyboard.press("0");
  const strip = page.locator(".time");
  await page.waitForFunction(() => document.querySelector(".bar button").ariaPressed === "true");
  for (let index = 0; index < sounds; index++) {
    await page.keyboard.press(String(index + 1));
    const button = page.getByRole("button", { name: `Sound ${index + 1}`, exact: true });
    await page.waitForFunction((one) => one.ariaPressed === "true", await button.elementHandle());
    for (let step = 0; step <= index; step++) await page.keyboard.press("w");
  }
  if (pages === 0) {
    await page.keyboard.press(",");
    await page.waitForTimeout(400);
    await page.keyboard.press(".");
    if (!(await page.locator(".loop").isVisible())) throw new Error("the loop is not shown");
    await strip.click({ position: { x: 20, y: 8 } });
    await page.screenshot({ path: join(folder, "page.png") });
    await page.emulateMedia({ colorScheme: "dark" });
    await page.screenshot({ path: join(folder, "dark.png") });
    await page.emulateMedia({ colorScheme: "light" });
  }
  const values = await page.locator("output").allTextContents();
  const wanted = Array.from({ length: sounds }, (_, index) => String(55 + 5 * index));
  if (values.join() !== wanted.join()) throw new Error(`the keys rated ${values}, not ${wanted}`);
  await next.click();
  pages += 1;
  if (pages === 1) await page.reload();
}
const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link").click()]);
await download.saveAs(join(folder, download.suggestedFilename()));
console.log(JSON.stringify({ pages, file: download.suggestedFilename(), problems }));
await browser.close();
