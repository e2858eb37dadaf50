// The page: what is asked stands in its address, so that back, forward and links work.

import { element, get, post, spoken } from "/api.js";
import { show } from "/exam.js";
import { hits, read } from "/results.js";

const DECADES = [10, 20, 30, 40, 50, 60, 70, 80, 90];
const FILTERS = ["vendor", "site", "sex", "has", "age_from", "age_to", "finding"];

const by = (id) => document.getElementById(id);
const main = by("main"), status = by("status"), ask = by("ask");
let leave = () => {}, key = () => false, picked = null, asked = "", turn = 0;

function tell(words) {
  status.textContent = words;
}

function typed() {
  const where = [];
  for (const name of ["vendor", "site", "sex", "has"]) if (by(name).value) where.push(`${name}=${by(name).value}`);
  if (by("age_from").value) where.push(`age>=${by("age_from").value}`);
  if (by("age_to").value) where.push(`age<${by("age_to").value}`);
  if (by("finding").value) where.push(`${by("finding").value}>${by("above").value || 0}`);
  return where;
}

const FIELDS = ["words", ...FILTERS, "above"];

function address(like = "") {
  const query = new URLSearchParams();
  for (const name of FIELDS) if (by(name).value && !(name === "above" && !by("finding").value)) query.set(name, by(name).value);
  if (like) query.set("like", like);
  return `#/?${query}`;
}

function like() {
  return by("like").hidden ? "" : by("like").querySelector("code").textContent;
}

function restore(query) {
  for (const name of FIELDS) by(name).value = query.get(name) ?? (name === "above" ? "0" : "");
  const exam = query.get("like") ?? "";
  by("like").hidden = !exam;
  by("like").querySelector("code").textContent = exam;
  const active = FILTERS.filter((name) => by(name).value).length;
  if (active) by("filters").open = true;
  by("filters").querySelector("summary").textContent = active ? `Filters (${active})` : "Filters";
}

// Views, kinds, and both together, each under a heading; what is neither is for the command line.
function pictures(values) {
  const known = values.filter((v) => !v.includes("OTHER"));
  const both = known.filter((v) => v.includes(" "));
  const one = known.filter((v) => !v.includes(" "));
  const isView = (v) => both.some((pair) => pair.startsWith(`${v} `));
  const groups = { "a view": one.filter(isView), "a kind": one.filter((v) => !isView(v)), "both": both };
  return Object.entries(groups).filter(([, some]) => some.length).map(([label, some]) =>
    element("optgroup", { label }, some.map((v) => element("option", { value: v }, spoken(v)))));
}

function capital(words) {
  return words[0].toUpperCase() + words.slice(1);
}

async function search(query, current) {
  restore(query);
  asked = by("words").value;
  if (!asked && !like()) {
    main.replaceChildren();
    tell("Ask in words, or open an example.");
    return;
  }
  tell("searching …");
  const found = await post("/api/search", { words: asked, like: like(), where: typed(), k: 24 });
  if (!current()) return;
  main.replaceChildren(hits(found.hits, pick));
  const n = found.hits.length;
  const none = found.nobody_has.length ? found.nobody_has.map(capital).join(". ") : "No exam: loosen the filters";
  tell(`${n ? `${n} exams in ${found.took_ms.toFixed(0)} ms` : none}. ${asked ? read(found) : ""}`);
}

function pick(exam, button) {
  if (picked === null || picked.exam === exam) {
    picked?.button.setAttribute("aria-pressed", "false");
    picked = picked === null ? { exam, button } : null;
    if (picked) { button.setAttribute("aria-pressed", "true"); tell("Choose another exam to compare with, or the same again to forget it."); }
    return;
  }
  location.hash = `#/compare/${encodeURIComponent(picked.exam)}/${encodeURIComponent(exam)}`;
}

// An answer that comes after the address has changed again belongs to nobody: it is dropped.
async function route() {
  const mine = ++turn, current = () => mine === turn;
  leave();
  leave = () => {};
  key = () => false;
  picked = null;
  const [path, query] = location.hash.slice(1).split("?");
  const [, page, ...ids] = path.split("/").map(decodeURIComponent);
  const reading = page === "exam" || page === "compare";
  document.body.classList.toggle("reading", reading);
  try {
    if (reading) {
      tell("opening …");
      const opened = await show(ids.slice(0, 2), asked);
      if (!current()) { opened.leave(); return; }
      ({ leave, key } = opened);
      const back = element("p", {}, element("a", { href: address(like()) }, "Back to the search"));
      main.replaceChildren(back, opened.page);
      main.querySelector("h1").focus();
      tell("");
    } else {
      await search(new URLSearchParams(query ?? ""), current);
    }
  } catch (error) {
    if (!current()) return;
    main.replaceChildren();
    tell(error.message);
  }
}

function move(step) {
  const links = [...main.querySelectorAll("a.open")];
  const at = links.indexOf(document.activeElement);
  links[Math.min(Math.max(at + step, 0), links.length - 1)]?.focus();
  return links.length > 0;
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.key === "Escape") { history.back(); return; }
  if (event.target.matches("input, select, textarea")) return;
  if (event.key === "/") { event.preventDefault(); by("words").focus(); return; }
  if (event.target.matches("button, a:not(.open)") && event.key === " ") return;
  if (key(event)) return;
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (step && move(step)) event.preventDefault();
});

ask.addEventListener("submit", (event) => {
  event.preventDefault();
  const wanted = address(like());
  if (location.hash === wanted) route();
  else location.hash = wanted;
});
by("like").querySelector("button").addEventListener("click", () => { location.hash = address(); });
for (const name of ["vendor", "site", "sex", "has", "age_from", "age_to", "finding"]) by(name).addEventListener("change", () => ask.requestSubmit());

async function begin() {
  const about = await get("/api/about");
  by("count").textContent = `${about.exams} exams`;
  by("kept").hidden = !about.queries_are_kept;
  for (const [name, values] of Object.entries(about.choices)) {
    by(name).append(...(name === "has" ? pictures(values) : values.map((v) => element("option", { value: v }, v))));
  }
  for (const name of ["age_from", "age_to"]) by(name).append(...DECADES.map((age) => element("option", { value: age }, age)));
  by("finding").append(...about.findings.map((f) => element("option", { value: f }, spoken(f))));
  by("examples").append(...about.examples.map((words) => element("button", {
    type: "button",
    onclick: () => { by("words").value = words; by("like").hidden = true; ask.requestSubmit(); },
  }, words)));
  addEventListener("hashchange", route);
  await route();
}

begin().catch((error) => tell(error.message));
