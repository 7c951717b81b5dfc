// Data, elements and formats. Texts of the study enter the page as text (textContent, setAttribute), never as markup.
const data = JSON.parse(document.getElementById("data").textContent);
// Views that share a column share its values.
for (const view of data.views) {
  [view.order, view.short] = [data.columns[view.order], data.columns[view.short].map((number) => data.strings[number])];
  for (const table of Object.values(view.tables)) for (const name of Object.keys(table)) table[name] = data.columns[table[name]];
}
const VERDICTS = { different: "evidence of a difference", no_evidence: "no evidence of a difference", equivalent: "equivalent to chance", undecidable: "cannot be judged" };
const find = (selector, root = document) => root.querySelector(selector);
const findAll = (selector, root = document) => [...root.querySelectorAll(selector)];

function createElement(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);  // strings become text nodes
  return element;
}

// A verdict in words, after its mark, which the style adds.
function verdictLabel(verdict, reason = "") {
  if (!VERDICTS[verdict]) return "";
  return createElement("span", { class: `verdict ${verdict}` }, VERDICTS[verdict], reason ? `: ${reason}` : "");
}
// Say above a box that is wider than the page that it scrolls.
function hintAtOverflow(box) {
  const hint = createElement("p", { class: "hint", hidden: true }, "↔ Scroll sideways to see the rest.");
  box.before(hint);
  new ResizeObserver(() => { hint.hidden = box.scrollWidth <= box.clientWidth + 1; }).observe(box);
}

const textOf = (number) => (number === null || number === undefined ? "" : data.strings[number]);
const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

const formatScore = (value) => (isNumber(value) ? value.toFixed(2) : "–");
function formatInterval(table, row, prefix = "") {
  const [low, high] = [table[`${prefix}low`][row], table[`${prefix}high`][row]];
  return isNumber(low) ? `[${formatScore(low)}, ${formatScore(high)}]` : "(no interval)";
}
const formatP = (value) => (!isNumber(value) ? "–" : value < 0.001 ? "< 0.001" : value.toFixed(3));
const formatTime = (s) => `${Math.floor(s / 60)}:${(s % 60).toFixed(1).padStart(4, "0")}`;
function formatValue(column, value) {
  if (value === null || value === undefined) return "–";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (!isNumber(value)) return String(value);
  if (/^p($|_)/.test(column)) return formatP(value);
  return Number.isInteger(value) && !/score|low|high|split|correlation|accuracy|chance/.test(column)
    ? value.toLocaleString("en") : value.toFixed(3);
}
