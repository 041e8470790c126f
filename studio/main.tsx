/** Puts the page together. */

import { effect } from "@preact/signals";
import { render } from "preact";
import { begin, keepPage } from "./panels/session.ts";
import { App } from "./panels/App.tsx";
import { systemIsDark, theme, themeChoice } from "./panels/desk.ts";
import { listenToKeys } from "./panels/keyboard.ts";
import { startPlayback } from "./panels/playback.ts";

const THEME = "unbraid.theme";
const kept = localStorage.getItem(THEME);
if (kept === "dark" || kept === "light") themeChoice.value = kept;
effect(() => {
  document.documentElement.dataset["theme"] = theme.value.isDark ? "dark" : "light";
  if (themeChoice.value !== "system") localStorage.setItem(THEME, themeChoice.value);
});
window
  .matchMedia("(prefers-color-scheme: dark)")
  .addEventListener("change", (event) => (systemIsDark.value = event.matches));

const place = document.getElementById("app")!;
place.replaceChildren(); // what was there stood in for the page until now
render(<App />, place);
startPlayback();
listenToKeys();
keepPage();
void begin();
