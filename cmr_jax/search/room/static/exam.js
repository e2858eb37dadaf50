// One exam, or two side by side: all views in time with each other, findings, evidence, what is similar.

import { element, get, percent, post, spoken, who } from "/api.js";
import { Clock, controls, Greys, View } from "/player.js";
import { heart } from "/results.js";

const USUAL_BEAT_MS = 900;

export async function show(ids, asked) {
  const exams = await Promise.all(ids.map((id) => get(`/api/exam/${encodeURIComponent(id)}`)));
  const beats = exams[0].stacks.filter((s) => s.is_cine && s.rr_ms > 0).map((s) => s.rr_ms);
  const clock = new Clock(beats.length ? beats[0] : USUAL_BEAT_MS);
  const greys = new Greys();
  const panel = controls(clock, greys);
  const columns = exams.map((exam) => column(exam, clock, greys, asked));
  const page = element("article", {}, panel.shown,
    exams.length > 1 ? element("div", { class: "both" }, columns.map((c) => c.shown)) : columns[0].shown);
  const key = (event) => panel.key(event) || columns[0].key(event);
  return { page, key, leave: () => { clock.stopped = true; } };
}

function column(exam, clock, greys, asked) {
  const order = ["SAX", "CH4", "CH2", "CH3"];
  const place = (s) => (order.indexOf(s.view) + 1 || 9) + (s.is_cine ? 0 : 10);
  const stacks = [...exam.stacks].sort((a, b) => place(a) - place(b));
  const views = stacks.map((stack) => new View(exam.exam_id, stack, clock, greys));
  const shown = element("section", { "aria-label": `Exam ${exam.exam_id}` },
    element("h1", { tabindex: "-1" }, `Exam ${exam.exam_id}`),
    element("p", { class: "quiet" }, [who(exam), exam.field_strength_t ? `${exam.field_strength_t} T` : ""].filter(Boolean).join(", ")),
    element("div", { class: "views" }, views.map((v) => v.figure)),
    element("div", { class: "beside" }, impression(exam), measured(exam), findings(exam), evidence(exam, views, asked), similar(exam)));
  const key = (event) => {
    const step = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (step === undefined || !views.length) return false;
    event.preventDefault();
    views[0].show(views[0].slice + step);
    return true;
  };
  return { shown, key };
}

function impression(exam) {
  return element("section", { class: "panel" }, element("h2", {}, "Impression"),
    element("p", {}, exam.impression || "none"));
}

function measured(exam) {
  const found = exam.measured;
  if (!found) return "";
  const rows = found.numbers.map((n) => element("tr", {}, element("th", { scope: "row" }, n.title),
    element("td", {}, `${n.value.toFixed(0)} ${n.unit}`), element("td", { class: "span" }, `${n.low.toFixed(0)} to ${n.high.toFixed(0)}`)));
  const contours = found.contours ? element("a", { href: `/api/contours/${encodeURIComponent(exam.exam_id)}`, target: "_blank" },
    element("img", { class: "contours", src: `/api/contours/${encodeURIComponent(exam.exam_id)}`,
      alt: "Contours at end diastole (above) and end systole, from base to apex as the stack lies" })) : "";
  return element("section", { class: "panel measured" }, element("h2", {}, "Measured, research use only"),
    found.error ? element("p", {}, `Not measured: ${found.error}`) : "",
    rows.length ? element("table", {}, element("caption", { class: "quiet" }, "value, and its 95 % interval as it holds on phantoms"), element("tbody", {}, rows)) : "",
    found.doubts.map((doubt) => element("p", { class: "unsure" }, `Unsure: ${doubt}`)), contours);
}

function findings(exam) {
  const rows = exam.findings.map((f) => {
    if (f.probability === undefined) {
      return element("tr", {}, element("th", { scope: "row" }, spoken(f.name)), element("td", { class: "bar" }, "not calibrated"),
        element("td", {}, `score ${f.score.toFixed(3)}`));
    }
    const span = element("i"), mark = element("b");
    span.style.left = `${100 * f.low}%`;
    span.style.width = `${Math.max(100 * (f.high - f.low), 1)}%`;
    mark.style.left = `${100 * f.probability}%`;
    return element("tr", {}, element("th", { scope: "row" }, spoken(f.name)),
      element("td", { class: "bar" }, element("div", { class: "track", "aria-hidden": "true" }, span, mark)),
      element("td", { class: "span" }, `${percent(f.probability)} (${percent(f.low)} to ${percent(f.high)})`),
      element("td", { class: f.answer }, f.answer));
  });
  return element("section", { class: "panel findings" }, element("h2", {}, "Findings, from words alone"),
    element("table", {}, element("caption", { class: "quiet" }, "probability with 95 % interval of what was learned; yes or no where the other answer is as unlikely as in one of ten who have it, else unsure"), element("tbody", {}, rows)));
}

function evidence(exam, views, asked) {
  const words = element("input", { type: "text", maxlength: 1000, value: asked, "aria-label": "what evidence is for" });
  const list = element("ol", { class: "marks" });
  const told = element("p", { class: "quiet", role: "status" });
  const form = element("form", { "aria-label": "Evidence" }, words, " ", element("button", {}, "Mark evidence"));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    told.textContent = "leaving out each slice in turn …";
    try {
      const found = (await post("/api/evidence", { exam_id: exam.exam_id, words: words.value })).evidence;
      mark(found, views, list);
      told.textContent = found.length ? "Score that is lost without a slice; the first three are marked." : "nothing to mark";
    } catch (error) {
      told.textContent = error.message;
    }
  });
  return element("section", { class: "panel" }, element("h2", {}, "Which slices carry it"), form, told, list);
}

function mark(found, views, list) {
  const by = new Map(views.map((v) => [v.stack.number, v]));
  for (const view of views) view.figure.classList.remove("carries");
  const first = found.filter((one) => one.lost > 0).slice(0, 3);
  list.replaceChildren(...first.map((one) => {
    const view = by.get(one.stack);
    view.figure.classList.add("carries");
    const words = `${view.title()}, slice ${one.slice + 1}: ${one.lost.toFixed(3)}`;
    return element("li", {}, element("button", { type: "button", onclick: () => { view.show(one.slice); view.canvas.focus(); } }, words));
  }));
  for (const one of [...first].reverse()) by.get(one.stack).show(one.slice);
}

function similar(exam) {
  const items = exam.similar.map((hit) => element("li", { class: "hit" },
    element("a", { class: "open", href: `#/exam/${encodeURIComponent(hit.exam_id)}`, "aria-label": `Similar exam, ${who(hit)}` },
      heart(hit.exam_id, ""), element("div", { class: "told" }, element("p", {}, `score ${hit.score.toFixed(2)} · ${who(hit)}`),
        element("p", { class: "impression quiet" }, hit.impression))),
    element("div", { class: "does" }, element("a", { href: `#/compare/${encodeURIComponent(exam.exam_id)}/${encodeURIComponent(hit.exam_id)}` }, "Compare side by side"))));
  return element("section", { class: "panel similar" }, element("h2", {}, "Similar exams"), element("ul", { class: "hits" }, items));
}
