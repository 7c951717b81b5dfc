// Tables of results that sort by any column.
const MAX_ROWS = 200;  // as in page.css: the rest is hidden until asked for
const COLUMN_TITLES = {
  score_ab: "a → b", score_ba: "b → a", low: "95% interval", p_holm: "p (Holm)", p_bh: "p (B–H)",
  triplets_ab: "triplets a → b", triplets_ba: "triplets b → a", n_a: "snippets a", n_b: "snippets b",
  alternating_split: "alternating blocks", half_split: "first vs second half", n: "snippets",
  alternating_split_low: "95% interval", half_split_low: "95% interval",
};
const collator = new Intl.Collator("en", { numeric: true });

function sortValue(cell) {
  const raw = cell.dataset.v ?? cell.textContent.replaceAll(",", "");
  if (raw === "" || raw === "–") return null;
  const number = Number(raw);
  return cell.classList.contains("n") && !Number.isNaN(number) ? number : raw;
}
function sortRows(table, column, descending) {
  const body = table.tBodies[0];
  const rows = [...body.rows].map((row, place) => [sortValue(row.cells[column]), place, row]);
  rows.sort(([a, i], [b, j]) => {
    if (a === null || b === null) return (a === null) - (b === null) || i - j;  // missing values stay last
    const order = typeof a === "number" && typeof b === "number" ? a - b : collator.compare(a, b);
    return (descending ? -order : order) || i - j;
  });
  body.append(...rows.map(([, , row]) => row));
}
// Make the heads of a table buttons that sort it, and hide most rows of a long table, which must be in its scroll box.
function makeSortable(table) {
  const heads = findAll("thead th", table);
  heads.forEach((head, column) => {
    const button = createElement("button", { type: "button" });
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const descending = head.getAttribute("aria-sort") === "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", descending ? "descending" : "ascending");
      sortRows(table, column, descending);
    });
  });
  const count = table.tBodies[0].rows.length;
  if (count <= MAX_ROWS) return;
  table.classList.add("truncated");
  const button = createElement("button", { type: "button" }, `Show all ${count.toLocaleString("en")} rows`);
  button.addEventListener("click", () => { table.classList.remove("truncated"); button.remove(); });
  table.closest(".scroll").after(button);
}

// Return a section with a table of results; columns without values are left out. Names of text columns end with $.
function tableSection(name, columns, { heading = null, description = null, skip = [], onRow = null } = {}) {
  const isEmpty = (column) => columns[column].every((value) => value === null || (column.endsWith("$") && textOf(value) === ""));
  // An interval is one column, in place of its lower end.
  const isHigh = (column) => column.endsWith("high") && column.replace(/high$/, "low") in columns;
  const kept = Object.keys(columns).filter((column) => !skip.includes(column.replace("$", "")) && !isHigh(column) && !isEmpty(column));
  const isInterval = (column) => column.endsWith("low") && column.replace(/low$/, "high") in columns;
  const count = kept.length ? columns[kept[0]].length : 0;
  const numberClass = (column) => (/^(triplets_|n_)/.test(column) ? "n minor" : "n");  // minor: not on paper
  const heads = kept.map((column) => {
    const plain = column.replace("$", "");
    return createElement("th", { scope: "col", class: column.endsWith("$") ? null : numberClass(column), title: (data.meanings[name] || {})[plain] },
      COLUMN_TITLES[plain] || plain.replaceAll("_", " "));
  });
  const body = createElement("tbody");
  for (let number = 0; number < count; number += 1) {
    const row = createElement("tr");
    for (const column of kept) {
      const value = columns[column][number];
      if (column === "verdict$") row.append(createElement("td", {}, verdictLabel(textOf(value))));
      else if (isInterval(column)) {
        row.append(createElement("td", { class: "n", "data-v": isNumber(value) ? value : "" }, isNumber(value) ? formatInterval(columns, number, column.replace(/low$/, "")) : "–"));
      } else row.append(column.endsWith("$")
        ? createElement("td", { dir: "auto", class: column === "note$" || column === "reason$" ? "wide" : null }, textOf(value))
        : createElement("td", { class: numberClass(column), "data-v": isNumber(value) ? value : "" }, formatValue(column, value)));
    }
    if (onRow) onRow(row, number);
    body.append(row);
  }
  const table = createElement("table", { class: "data", "data-table": name }, createElement("thead", {}, createElement("tr", {}, ...heads)), body);
  const box = createElement("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": name }, table);
  const section = createElement("div");
  if (heading) section.append(createElement("h3", {}, heading));
  if (description) section.append(createElement("p", { class: "quiet" }, description));
  section.append(box);
  makeSortable(table);
  return section;
}
