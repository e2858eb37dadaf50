// The room's own server, and small helpers for making elements: texts are always texts, never markup.

export async function get(path) {
  return answered(await fetch(path));
}

export async function post(path, asked) {
  return answered(await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(asked),
  }));
}

async function answered(response) {
  if (response.status === 401) location.assign("/login.html");
  const told = await response.json().catch(() => ({ error: "the room does not answer" }));
  if (!response.ok) throw new Error(told.error);
  return told;
}

// Frames of one slice: {pixels, time, rows, columns}.
export async function frames(exam, stack, slice) {
  const response = await fetch(`/api/frames/${encodeURIComponent(exam)}/${stack}/${slice}`);
  if (!response.ok) throw new Error((await response.json()).error);
  const [time, rows, columns] = response.headers.get("X-Shape").split("x").map(Number);
  return { pixels: new Uint8Array(await response.arrayBuffer()), time, rows, columns };
}

// element("p", {class: "quiet"}, "text", child, ...)
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.flat().filter((x) => x !== null && x !== undefined && x !== ""));
  return made;
}

const VIEWS = { SAX: "short axis", CH2: "2 chamber", CH3: "3 chamber", CH4: "4 chamber", OTHER: "other view" };
const KINDS = { CINE: "cine", LGE: "late enhancement", LGE_MAG: "late enhancement", LGE_PSIR: "late enhancement (PSIR)" };
const FINDINGS = {
  lv_dilation: "LV dilation", lv_dysfunction: "LV dysfunction", lv_hypertrophy: "LV hypertrophy",
  rv_dilation: "RV dilation", rv_dysfunction: "RV dysfunction", lge: "late enhancement",
  nonischemic_lge: "nonischemic enhancement", hcm: "hypertrophic cardiomyopathy", dcm: "dilated cardiomyopathy",
};

export function spoken(name) {
  return VIEWS[name] ?? KINDS[name] ?? FINDINGS[name] ?? name.split(" ").map((x) => VIEWS[x] ?? KINDS[x] ?? x).join(" ").replaceAll("_", " ");
}

// Nothing is certain.
export function percent(x) {
  return x > 0.995 ? "> 99 %" : x < 0.005 ? "< 1 %" : `${Math.round(100 * x)} %`;
}

export function who(exam) {
  const age = exam.age === null ? null : exam.age >= 90 ? "90 or older" : `${exam.age} to ${exam.age + 9}`;
  return [exam.sex, age, exam.vendor, exam.site].filter(Boolean).join(", ");
}
