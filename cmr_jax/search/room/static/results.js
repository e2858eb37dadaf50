// What a search found: a list of small beating hearts.

import { element, spoken, who } from "/api.js";

export function hits(found, pick) {
  return element("ul", { class: "hits", "aria-label": "Exams found" }, found.map((hit, i) => card(hit, i + 1, pick)));
}

export function heart(exam_id, words) {
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches ? "?still=1" : "";
  return element("img", { src: `/api/heart/${encodeURIComponent(exam_id)}${still}`, alt: words, width: 480, height: 160, loading: "lazy" });
}

function card(hit, place, pick) {
  const by = Object.entries(hit.carried).sort((a, b) => b[1] - a[1]).slice(0, 2).map(([part]) => part.replaceAll("_", " "));
  const link = `#/exam/${encodeURIComponent(hit.exam_id)}`;
  const likely = hit.probability === undefined ? "" : `likely ${Math.round(100 * hit.probability)} %, `;
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

export function says(found) {
  const words = Object.entries(found).map(([name, there]) => (there ? "" : "no ") + spoken(name));
  return words.length ? `Understood: ${words.join(", ")}.` : "No finding understood: by likeness to the words.";
}
