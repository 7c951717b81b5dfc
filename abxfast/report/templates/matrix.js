// The interactive matrix of a view (one experiment, encoder, variant and snippet length).
const MAX_WITH_SCORES = 24, MAX_WITH_LARGE_CELLS = 12;  // rows

// The self-baselines on the diagonal: their table, and the row in it of each row of the matrix.
function selfBaselines(view, rowOf) {
  const table = view.tables.self_baselines, rows = new Map();
  if (table && textOf(view.tables.pairs.on$[0]) === "recording") {
    table.label$.forEach((label, number) => rows.set(rowOf.get(label), number));
  }
  const score = (row) => (rows.has(row) && isNumber(table.alternating_split_low[rows.get(row)]) ? table.alternating_split[rows.get(row)] : null);
  return { table, rows, score };
}

const cellText = (score, verdict) => {
  const text = score.toFixed(2);
  return verdict === "undecidable" ? `(${text})` : verdict === "equivalent" ? `≈${text}` : text;
};
function matrixCell(row, column, pair, score, pairs, showScores) {
  const style = !isNumber(score) ? "unscored" : row === column ? "baseline" : textOf(pairs.verdict$[pair]);
  return createElement("td", {
    "data-row": row, "data-column": column, "data-pair": pair, "data-score": isNumber(score) ? score : null, class: style, tabindex: "-1",
  }, showScores && isNumber(score) ? cellText(score, style) : "");
}

function matrixTable(view, baselines, rowOf) {
  const { order, tables: { pairs } } = view;
  const cells = new Map();
  pairs.a$.forEach((a, pair) => {
    const b = pairs.b$[pair];
    cells.set(`${rowOf.get(a)} ${rowOf.get(b)}`, [pair, pairs.score_ab[pair]]);
    cells.set(`${rowOf.get(b)} ${rowOf.get(a)}`, [pair, pairs.score_ba[pair]]);
  });
  const showScores = order.length <= MAX_WITH_SCORES;
  const step = showScores ? 1 : 5;
  const head = createElement("tr", {}, createElement("th"), ...order.map((name, column) =>
    createElement("th", { scope: "col", title: textOf(name) }, (column + 1) % step === 0 || column === 0 ? String(column + 1) : "")));
  const body = createElement("tbody", {}, ...order.map((name, row) => createElement("tr", {},
    createElement("th", { scope: "row", title: textOf(name) }, createElement("bdi", {}, view.short[row]), createElement("span", { class: "number" }, String(row + 1))),
    ...order.map((_, column) => {
      const [pair, score] = row === column ? [null, baselines.score(row)] : cells.get(`${row} ${column}`) || [null, null];
      return matrixCell(row, column, pair, score, pairs, showScores);
    }))));
  const size = order.length <= MAX_WITH_LARGE_CELLS ? "" : showScores ? " mid" : " small";
  return createElement("table", { class: `matrix${size}`, "aria-label": "Matrix of scores: row, A and X; column, B" }, createElement("thead", {}, head), body);
}

// The lines of a cell's tooltip.
function describeCell(view, cell, baselines) {
  const { order, tables: { pairs } } = view;
  const row = Number(cell.dataset.row), column = Number(cell.dataset.column);
  const line = (...content) => createElement("div", {}, ...content);
  const nameLine = (label, number) => createElement("div", { dir: "auto" }, `${label}${textOf(order[number])}`);
  const soft = (content) => createElement("div", { class: "soft" }, content);
  const bold = (value) => createElement("b", {}, value);
  if (row === column) {
    if (!baselines.rows.has(row)) return [line(textOf(order[row]))];
    const { table } = baselines, number = baselines.rows.get(row);
    return [nameLine("", row),
      line("self-baseline: ", bold(formatScore(table.alternating_split[number])), ` ${formatInterval(table, number, "alternating_split_")}`),
      line(`first vs second half: ${formatScore(table.half_split[number])} ${formatInterval(table, number, "half_split_")}`),
      soft(textOf(table.note$[number]))];
  }
  const names = [nameLine("A, X: ", row), nameLine("B: ", column)];
  if (cell.dataset.pair === undefined) return [...names, line("not scored")];
  const pair = Number(cell.dataset.pair), score = Number(cell.dataset.score);
  return [...names,
    line(bold(isNumber(score) ? formatScore(score) : "–"), " in this direction"),
    line(`both directions: ${formatScore(pairs.score[pair])} ${formatInterval(pairs, pair)}`),
    line(verdictLabel(textOf(pairs.verdict$[pair]), textOf(pairs.reason$[pair]))),
    soft(pairs.p ? `p ${formatP(pairs.p[pair])} · Holm ${formatP(pairs.p_holm[pair])} · B–H ${formatP(pairs.p_bh[pair])}` : `p (Holm) ${formatP(pairs.p_holm[pair])}`),
    ...[textOf(pairs.context$[pair]), pairs.note$ ? textOf(pairs.note$[pair]) : ""].filter((note) => note).map(soft)];
}

// Return the matrix and its legend; a cell that is clicked, or entered, selects its pair.
function renderMatrix(view, selectPair) {
  if (!view.tables.pairs) return [];
  const rowOf = new Map(view.order.map((name, row) => [name, row]));
  const baselines = selfBaselines(view, rowOf);
  const table = matrixTable(view, baselines, rowOf), body = table.tBodies[0];
  const first = body.rows[0] && body.rows[0].cells[Math.min(2, view.order.length)];
  if (first) first.tabIndex = 0;
  const describe = (event) => {
    const cell = event.target.closest("td");
    if (!cell || cell.dataset.row === undefined) hideTooltip();
    else showTooltip(cell, describeCell(view, cell, baselines));
  };
  table.addEventListener("mouseover", describe);
  table.addEventListener("mouseleave", hideTooltip);
  table.addEventListener("focusin", describe);
  table.addEventListener("focusout", hideTooltip);
  table.addEventListener("click", (event) => {
    const cell = event.target.closest("td[data-pair]");
    if (cell) selectPair(Number(cell.dataset.pair));
  });
  table.addEventListener("keydown", (event) => {
    const cell = event.target.closest("td");
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!cell) return;
    if (event.key === "Enter" && cell.dataset.pair !== undefined) selectPair(Number(cell.dataset.pair));
    if (!step) return;
    event.preventDefault();
    const row = body.rows[Number(cell.dataset.row) + step[0]];
    const next = row && find(`td[data-column="${Number(cell.dataset.column) + step[1]}"]`, row);
    if (next) { cell.tabIndex = -1; next.tabIndex = 0; next.focus(); }
  });
  colourCells(table);
  const legend = [
    `Row: A and X. Column: B. Hover over a cell for its interval${view.tables.listening ? "; select it to hear its snippets" : ""}.`,
    view.order.length <= MAX_WITH_SCORES
      ? "Bold: evidence of a difference. Regular: no evidence, though the data could have shown it; ≈: equivalent to chance. Hatched and in brackets: cannot be judged."
      : "Dot: no evidence of a difference, though the data could have shown it. Hatched: cannot be judged.",
    baselines.rows.size ? "Diagonal: self-baseline of each recording that is long enough, in alternating blocks of 30 s." : "",
  ];
  return [createElement("div", { class: "matrixbox" }, table),
    createElement("p", { class: "note" }, legend.filter((sentence) => sentence).join(" "))];
}
