// Data, elements and formats. Texts of the study enter the page as text (textContent, setAttribute), never as markup.
const data = JSON.parse(document.getElementById("data").textContent);
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
