"use strict";
// The test: a name, then every trial, then the answers as a file. What was answered survives a reload.

const TEST = window.TEST;
const STORE = `unbraid-listening-${TEST.id}`;
const WORDS = ["Bad", "Poor", "Fair", "Good", "Excellent"];
const main = document.getElementById("main");
let player = null;
let state = JSON.parse(localStorage.getItem(STORE) ?? "null");
let keys = {};

const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};

const shuffled = (items) => {
  const left = [...items];
  for (let last = left.length - 1; last > 0; last--) {
    const other = crypto.getRandomValues(new Uint32Array(1))[0] % (last + 1);
    [left[last], left[other]] = [left[other], left[last]];
  }
  return left;
};

const save = () => localStorage.setItem(STORE, JSON.stringify(state));

function begin(listener) {
  const parts = TEST.parts.map((part) => shuffled(TEST.trials.filter((trial) => trial.part === part.name)));
  const order = parts.flat().map((trial) => ({ trial: trial.id, stimuli: shuffled(trial.stimuli) }));
  state = { listener, began: new Date().toISOString(), order, done: 0, answers: [] };
  save();
}

function show(...children) {
  main.replaceChildren(...children);
  main.focus();
}

function welcome() {
  const name = make("input", { type: "text", id: "listener", autocomplete: "off", maxLength: 80 });
  const wrong = make("p", { className: "wrong", role: "alert" });
  const start = make("button", { className: "main", textContent: "Begin", type: "submit" });
  const form = make("form", {}, make("p", {}, make("label", { htmlFor: "listener", textContent: "Your name or a nickname: " }), name),
    wrong, start);
  form.onsubmit = (event) => {
    event.preventDefault();
    if (!name.value.trim()) {
      wrong.textContent = "Give a name, so that your answers can be told from those of others.";
      return name.focus();
    }
    begin(name.value.trim());
    next();
  };
  const count = `${TEST.trials.length} pages, of ${TEST.trials[0].stimuli.length} sounds each.`;
  show(make("h2", { textContent: "Before you begin" }),
    make("p", { textContent: `${count} Use headphones in a quiet room. Set the volume while the first sounds play, and leave it then. ` +
      "Judge every sound on its own, and compare as often as you like." }),
    make("p", { className: "hint", textContent: "Keys: 1 to 9 play a sound, 0 the one that it is compared with, space stops and " +
      "goes on, left and right move by a second, L turns the loop on and off, comma and period set its ends, Q and W move the " +
      "rating of the sound that plays." }), form);
}

async function next() {
  if (state.done === state.order.length) return finish();
  const { trial: id, stimuli } = state.order[state.done];
  const trial = TEST.trials.find((one) => one.id === id);
  const part = TEST.parts.find((one) => one.name === trial.part);
  document.getElementById("progress").textContent = `${state.done + 1} of ${state.order.length}`;
  show(make("p", { textContent: "Loading …" }));
  player ??= new Player(() => mark());
  try {
    await player.load([trial.shown, ...stimuli]);
  } catch (error) {
    return show(make("p", { className: "wrong", role: "alert", textContent: `This page cannot be played: ${error.message}. Reload it, ` +
      "or tell the person who sent it to you." }));
  }
  page(trial, part, stimuli);
}

let mark = () => {};

function page(trial, part, stimuli) {
  const answers = stimuli.map((stimulus) => ({ stimulus, score: null, plays: 0 }));
  const opened = performance.now();
  const buttons = new Map();
  const press = (id) => async () => {
    if (player.playing && player.current === id) player.stop();
    else await player.play(id);
    const answer = answers.find((one) => one.stimulus === id);
    if (answer && player.playing) answer.plays += 1;
    mark();
  };
  const button = (id, text, key) => {
    const one = make("button", { textContent: text, type: "button" });
    one.setAttribute("aria-pressed", "false");
    one.setAttribute("aria-keyshortcuts", key);
    one.onclick = press(id);
    buttons.set(id, one);
    return one;
  };
  const submit = make("button", { className: "main", type: "button", disabled: true, textContent: "Next page" });
  const missing = make("span", { className: "hint", role: "status" });
  const check = () => {
    const unheard = answers.filter((one) => !one.plays).length;
    const unrated = answers.filter((one) => one.score === null).length;
    submit.disabled = unheard + unrated > 0;
    missing.textContent = submit.disabled ? `${unheard} not heard, ${unrated} not rated yet` : "";
  };
  const sliders = new Map();
  const rows = answers.map((answer, index) => {
    const label = `Sound ${index + 1}`;
    const slider = make("input", { type: "range", min: 0, max: 100, value: 50, step: 1 });
    slider.setAttribute("aria-label", `Rating of sound ${index + 1}`);
    const value = make("output", { textContent: "–" });
    const row = make("div", { className: "row unrated" }, button(answer.stimulus, label, `${index + 1}`), slider, value);
    const rate = () => {
      answer.score = Number(slider.value);
      value.textContent = slider.value;
      slider.setAttribute("aria-valuetext", `${slider.value}, ${WORDS[Math.min(4, Math.floor(answer.score / 20))]}`);
      row.classList.remove("unrated");
      check();
    };
    slider.oninput = rate;
    slider.onclick = rate;
    sliders.set(answer.stimulus, { slider, rate });
    return row;
  });
  const strip = timeStrip();
  mark = () => {
    for (const [id, one] of buttons) one.setAttribute("aria-pressed", String(player.playing && player.current === id));
    check();
  };
  submit.onclick = () => {
    player.stop();
    const seconds = (performance.now() - opened) / 1000;
    answers.forEach((answer, position) => state.answers.push({ trial: trial.id, position, seconds, ...answer }));
    state.done += 1;
    save();
    next();
  };
  keys = { 0: press(trial.shown), " ": toggle(press, trial), ArrowLeft: () => player.seek(player.position - 1),
    ArrowRight: () => player.seek(player.position + 1), l: strip.toggle, ",": strip.begin, ".": strip.end,
    q: () => nudge(sliders, -5), w: () => nudge(sliders, 5),
    ...Object.fromEntries(stimuli.map((id, index) => [String(index + 1), press(id)])) };
  show(make("h2", { textContent: part.title }), make("p", { textContent: part.question }),
    make("div", { className: "bar" }, button(trial.shown, part.shown, "0"), ...strip.elements),
    make("div", { className: "scale", ariaHidden: "true" }, make("div", {}, ...WORDS.map((word) => make("span", { textContent: word })))),
    ...rows, make("div", { className: "bar" }, submit, missing));
  mark();
}

const toggle = (press, trial) => () => press(player.current ?? trial.shown)();

function nudge(sliders, by) {
  const one = sliders.get(player.current);
  if (!one) return;
  one.slider.value = Number(one.slider.value) + by;
  one.rate();
}

// Where the excerpt is, and which part of it is repeated.
function timeStrip() {
  const head = make("div", { className: "head" });
  const loop = make("div", { className: "loop", hidden: true });
  const time = make("div", { className: "time", title: "Click to move" }, loop, head);
  let ends = [0, player.duration];
  let on = false;
  const button = make("button", { type: "button", textContent: "Loop" });
  const apply = async () => {
    button.setAttribute("aria-pressed", String(on));
    loop.hidden = !on;
    loop.style.left = `${(100 * ends[0]) / player.duration}%`;
    loop.style.width = `${(100 * (ends[1] - ends[0])) / player.duration}%`;
    await player.setLoop(on ? [...ends] : null);
  };
  const toggle = () => { on = !on; return apply(); };
  const set = (index) => () => {
    const other = ends[1 - index];
    const place = player.position;
    ends[index] = index === 0 ? Math.min(place, other - 0.2) : Math.max(place, other + 0.2);
    ends = [Math.max(0, ends[0]), Math.min(player.duration, ends[1])];
    on = true;
    return apply();
  };
  button.onclick = toggle;
  time.onclick = (event) => player.seek(((event.clientX - time.getBoundingClientRect().left) / time.clientWidth) * player.duration);
  const draw = () => {
    if (!time.isConnected && head.dataset.drawn) return;
    head.dataset.drawn = "yes";
    head.style.left = `${(100 * player.position) / player.duration}%`;
    requestAnimationFrame(draw);
  };
  requestAnimationFrame(draw);
  apply();
  const from = make("button", { type: "button", textContent: "Loop from here", onclick: set(0) });
  const to = make("button", { type: "button", textContent: "Loop to here", onclick: set(1) });
  return { elements: [button, from, to, time], toggle, begin: set(0), end: set(1) };
}

function finish() {
  keys = {};
  state.ended ??= new Date().toISOString();
  save();
  document.getElementById("progress").textContent = "Done";
  const { order, done, ...rest } = state;
  const text = JSON.stringify({ format: "unbraid-listening-answers-1", test: TEST.id, ...rest }, null, 1);
  const name = state.listener.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-") || "listener";
  const link = make("a", { textContent: "Save the answers", download: `answers-${name}.json` });
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  const again = make("button", { type: "button", textContent: "Another listener" });
  again.onclick = () => { localStorage.removeItem(STORE); state = null; document.getElementById("progress").textContent = ""; welcome(); };
  show(make("h2", { textContent: "Thank you" }),
    make("p", { textContent: "Save your answers and send the file to the person who asked you." }), make("p", {}, link), again);
}

document.addEventListener("keydown", (event) => {
  const field = event.target instanceof HTMLInputElement;
  if (event.ctrlKey || event.metaKey || event.altKey || (field && event.target.type === "text")) return;
  if (field && event.key.startsWith("Arrow")) return; // they move the slider
  const action = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!action || (event.key === " " && event.target instanceof HTMLButtonElement)) return;
  event.preventDefault();
  action();
});

document.getElementById("title").textContent = TEST.title;
document.title = TEST.title;
if (state) next();
else welcome();
