// What a search found: a list of small beating hearts.

import { element, percent, spoken, who } from "/api.js";

const PARTS = {
  short_axis: "the short axis", chamber_2: "2 chamber", chamber_3: "3 chamber", chamber_4: "4 chamber", enhancement: "late enhancement",
};

export function hits(found, pick) {
  return element("ul", { class: "hits", "aria-label": "Exams found" }, found.map((hit, i) => card(hit, i + 1, pick)));
}

export function heart(exam_id, words) {
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches ? "?still=1" : "";
  return element("img", { src: `/api/heart/${encodeURIComponent(exam_id)}${still}`, alt: words, width: 480, height: 160, loading: "lazy" });
}

function card(hit, place, pick) {
  const by = Object.entries(hit.carried).sort((a, b) => b[1] - a[1]).slice(0, 2).map(([part]) => PARTS[part] ?? part);
  const link = `#/exam/${encodeURIComponent(hit.exam_id)}`;
  const likely = hit.probability === undefined ? "" : `likely ${percent(hit.probability)}, `;
  const told = element("div", { class: "told" },
    element("p", {}, element("span", { class: "score" }, `${place}. ${likely}score ${hit.score.toFixed(2)}`),
      ` above ${hit.percentile.toFixed(1)} % of the index`),
    element("p", { class: "quiet" }, who(hit)),
    element("p", { class: "quiet" }, by.length ? `carried by ${by.join(" and ")}` : ""),
    element("p", { class: "impression" }, hit.impression || "no impression"));
  const open = element("a", { class: "open", href: link, "aria-label": `Exam ${place}, ${who(hit)}, score ${hit.score.toFixed(2)}: open` },
    heart(hit.exam_id, ""), told);
  return element("li", { class: "hit", "data-exam": hit.exam_id }, open,
    element("div", { class: "does" },
      element("a", { href: `#/?like=${encodeURIComponent(hit.exam_id)}` }, `More like ${place}`),
      element("button", { type: "button", "aria-pressed": "false", onclick: (event) => pick(hit.exam_id, event.currentTarget) }, `Compare ${place}`)));
}

// How the words were read.
export function read(found) {
  const names = Object.entries(found.understood).map(([name, there]) => (there ? "" : "no ") + spoken(name));
  const likely = found.hits.map((hit) => hit.probability).filter((p) => p !== undefined);
  return [
    names.length ? `Understood: ${names.join(", ")}.` : "No finding understood.",
    found.by_likeness.length ? `By likeness to the words alone: ${found.by_likeness.join("; ")}.` : "",
    likely.length && Math.max(...likely) < 0.5 ? "No exam is more likely than not to have all that was understood." : "",
  ].filter(Boolean).join(" ");
}
