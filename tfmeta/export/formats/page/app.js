// The page: signs that the visitor draws, what the net has learned, and its answers.

import { Pad } from "./ink.js";
import { Net } from "./net.js";
import { selftest } from "./selftest.js";

const $ = (id) => document.getElementById(id);
const FIRST = ["A", "B", "C"];
const percent = (share) => `${(100 * share).toFixed(share > 0.995 || share < 0.005 ? 1 : 0)} %`;

// For those who do not see the pen.
const tell = (text) => {
  $("pen").textContent = text;
};

let page;
let net;
let classes = [];
let learned = null;
let query;
let turn = 0; // Only the answer to the newest drawings is shown.

function addClass(name, focus) {
  const place = $("class-template").content.firstElementChild.cloneNode(true);
  const each = { name, place, pads: [], order: classes.length };
  const input = place.querySelector("input");
  input.value = name;
  input.addEventListener("input", () => {
    each.name = input.value;
    nameAll();
    showAnswer();
  });
  place.querySelector(".remove").addEventListener("click", () => {
    classes = classes.filter((other) => other !== each);
    place.remove();
    nameAll();
    learn();
    $("add-class").focus();
  });
  place.querySelector(".more").addEventListener("click", () => {
    addPad(each);
    nameAll();
    each.pads.at(-1).canvas.focus();
  });
  place.querySelector(".back").addEventListener("click", () => drawn(each).at(-1)?.undo());
  classes.push(each);
  $("classes").append(place);
  addPad(each);
  nameAll();
  if (focus) input.select();
}

function addPad(each) {
  const place = document.createElement("div");
  place.className = "pad";
  each.place.querySelector(".drawings").append(place);
  each.pads.push(new Pad(place, { label: "", size: page, pen: page.pen, changed: learn, told: tell }));
}

function nameAll() {
  classes.forEach((each, i) => {
    const name = each.name.trim() || `sign ${i + 1}`;
    each.pads.forEach((pad, k) => pad.name(`Drawing ${k + 1} of ${name}`));
    each.place.querySelector(".remove").setAttribute("aria-label", `Remove ${name}`);
    each.place.querySelector(".more").setAttribute("aria-label", `One more drawing of ${name}`);
    each.place.querySelector(".back").setAttribute("aria-label", `Undo a line of ${name}`);
    each.place.querySelector(".remove").disabled = classes.length <= 2;
  });
  $("add-class").disabled = page.max_way !== null && classes.length >= page.max_way;
}

const drawn = (each) => each.pads.filter((pad) => !pad.empty);

// What a promise of the net comes to; if it fails, the page says why.
async function tried(ask) {
  try {
    return await ask();
  } catch (error) {
    learned = null;
    showAnswer();
    $("learned").textContent = `The net could not do that: ${error.message}`;
    return null;
  }
}

async function learn() {
  const known = classes.filter((each) => drawn(each).length);
  const mine = ++turn;
  if (!net) return;
  if (known.length < 2) {
    learned = null;
    $("learned").textContent = known.length
      ? "One sign is drawn. Draw a second one."
      : "Draw each sign once, and name it.";
    return showAnswer();
  }
  const pictures = known.flatMap((each) => drawn(each).map((pad) => pad.pixels()));
  const labels = known.flatMap((each, label) => drawn(each).map(() => label));
  const found = await tried(() => net.adapt(pictures, labels));
  if (!found || mine !== turn) return;
  learned = { ...found, known };
  const drawings = labels.length === known.length ? "a drawing each" : `${labels.length} drawings`;
  $("learned").textContent =
    `Learned ${known.length} signs from ${drawings} in ${found.ms.toFixed(0)} ms.`;
  await answer();
}

let asked = 0;
let shares = null;

async function answer() {
  const mine = ++asked;
  shares = null;
  if (learned && !query.empty) {
    const found = await tried(() => net.predict(learned, [query.pixels()]));
    if (!found || mine !== asked) return;
    [shares] = found;
  }
  showAnswer();
}

function showAnswer() {
  if (!learned || query.empty) shares = null;
  const bars = $("bars");
  bars.replaceChildren();
  if (!shares) {
    $("answer").textContent = "";
    return;
  }
  const name = (each) => each.name.trim() || `sign ${classes.indexOf(each) + 1}`;
  const rows = learned.known.map((each, i) => ({ name: name(each), share: shares[i] }));
  rows.sort((a, b) => b.share - a.share);
  rows.forEach(({ name, share }, i) => {
    const row = document.createElement("li");
    row.className = i ? "" : "first";
    row.style.setProperty("--share", share);
    for (const text of [name, percent(share)]) {
      const part = document.createElement("span");
      part.textContent = text;
      row.append(part);
    }
    bars.append(row);
  });
  $("answer").textContent = `That is ${rows[0].name}.`;
}

function startOver() {
  classes = [];
  $("classes").replaceChildren();
  const most = page.max_way ?? FIRST.length;
  FIRST.slice(0, most).forEach((name) => addClass(name, false));
  query.clear();
  learn();
}

// For tests: puts drawings into the fields, as a visitor would.
window.tfmeta = {
  ready: null,
  selftest: () => window.tfmeta.ready.then(() => selftest(net)),
  // names: one for each sign; signs: lines of one drawing each; asked: lines of the query.
  async draw(names, signs, lines) {
    await window.tfmeta.ready;
    while (classes.length > names.length) classes.pop().place.remove();
    while (classes.length < names.length) addClass("", false);
    classes.forEach((each, i) => {
      each.name = each.place.querySelector("input").value = names[i];
      each.pads[0].lines = signs[i].map((line) => line.map(([x, y]) => ({ x, y })));
      each.pads[0].show();
    });
    query.lines = lines.map((line) => line.map(([x, y]) => ({ x, y })));
    query.show();
    nameAll();
    await learn();
    return { shares: Array.from(shares ?? []), ms: learned.ms };
  },
};

async function start() {
  page = await (await fetch("page.json")).json();
  query = new Pad($("query"), {
    label: "Drawing to read",
    size: page,
    pen: page.pen,
    changed: answer,
    told: tell,
  });
  startOver();
  $("add-class").addEventListener("click", () => addClass("", true));
  $("reset").addEventListener("click", startOver);
  $("undo").addEventListener("click", () => query.undo());
  $("clear").addEventListener("click", () => query.clear());
  $("about").textContent = page.about;
  net = await Net.load(page);
  await learn();
  navigator.serviceWorker?.register("offline.js").catch(() => {});
}

window.tfmeta.ready = start().catch((error) => {
  $("learned").textContent = `The net cannot run here: ${error.message}`;
  throw error;
});
