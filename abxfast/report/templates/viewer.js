// The viewer of an experiment: controls, sentences, matrix, listening list and tables of the view that is selected.
const MAX_BUTTONS = 6;
const FOLDED = ["pair", "baseline", "confound"];  // kinds of sentences that stand with their tables
const FIELDS = ["encoder", "variant", "length"];

// A choice of layers (rows) and poolings (columns), with the mean score of each.
function variantGrid(view, views, change) {
  const parts = new Map(views.map((other) => {
    const dot = other.variant.lastIndexOf(".");
    return [other, dot > 0 ? [other.variant.slice(0, dot), other.variant.slice(dot + 1)] : [other.variant, ""]];
  }));
  const layers = [...new Set([...parts.values()].map(([layer]) => layer))].sort(collator.compare);
  const poolings = [...new Set([...parts.values()].map(([, pooling]) => pooling))];
  const viewOf = new Map([...parts].map(([other, [layer, pooling]]) => [JSON.stringify([layer, pooling]), other]));
  // Layers lie side by side, since there may be many and few poolings.
  const head = createElement("tr", {}, createElement("th"), ...layers.map((layer) => createElement("th", { scope: "col", dir: "auto" }, layer)));
  const body = poolings.map((pooling) => createElement("tr", {}, createElement("th", { scope: "row", dir: "auto" }, pooling),
    ...layers.map((layer) => {
      const other = viewOf.get(JSON.stringify([layer, pooling]));
      if (!other) return createElement("td", { class: "unscored" });
      const button = createElement("button", {
        type: "button", "data-field": "variant", "aria-pressed": String(other.variant === view.variant),
        title: `${other.variant}: ${formatScore(other.score)}, ${VERDICTS[other.verdict] || ""}${other.reason ? `: ${other.reason}` : ""}`,
      }, isNumber(other.score) ? cellText(other.score, other.verdict) : "–");
      button.addEventListener("click", () => change("variant", other.variant));
      return createElement("td", { class: other.verdict || "unscored", "data-score": isNumber(other.score) ? other.score : null }, button);
    })));
  const table = createElement("table", { class: "matrix variants", "aria-label": "Mean score by layer and pooling; select one to see its matrix" },
    createElement("thead", {}, head), createElement("tbody", {}, ...body));
  colourCells(table);
  return createElement("div", { class: "variantbox" }, createElement("span", {}, "layer and pooling, with the mean score: select one to see its matrix"),
    createElement("div", { class: "matrixbox" }, table));
}

function renderControls(view, views, change) {
  const controls = createElement("div", { class: "controls" });
  for (const field of FIELDS) {
    const fixed = FIELDS.slice(0, FIELDS.indexOf(field));
    const matching = views.filter((other) => fixed.every((name) => other[name] === view[name]));
    const options = [...new Set(matching.map((other) => other[field]))];
    const label = field === "length" ? "snippets" : field;
    let control;
    if (field === "variant" && options.length > MAX_BUTTONS) {
      controls.append(variantGrid(view, matching.filter((other) => other.snippet_s === view.snippet_s), change));
      continue;
    }
    if (options.length > MAX_BUTTONS) {
      control = createElement("select", { "data-field": field },
        ...options.map((option) => createElement("option", { selected: option === view[field] }, option)));
      control.addEventListener("change", (event) => change(field, options[event.target.selectedIndex]));
    } else {
      control = createElement("span", { class: "group", role: "group", "aria-label": label }, ...options.map((option) => {
        const button = createElement("button", { type: "button", "data-field": field, "aria-pressed": String(option === view[field]) }, option);
        button.addEventListener("click", () => change(field, option));
        return button;
      }));
    }
    controls.append(createElement("label", {}, label, control));
  }
  return controls;
}

function renderSentences(view) {
  const table = view.tables.sentences || { kind$: [], text$: [] };
  const list = createElement("ul", { class: "sentences" });
  if (!table.kind$.length) {
    list.append(createElement("li", { class: "summary" }, `${view.encoder} (${view.variant}) scores ${formatScore(view.score)} ${isNumber(view.low) ? `${formatInterval({ low: [view.low], high: [view.high] }, 0)} ` : ""}on average, ${view.length}: `, verdictLabel(view.verdict, view.reason)));
  }
  const series = data.series.filter((other) => ["experiment", "encoder", "variant"].every((name) => other[name] === view[name]));
  for (const sentence of series.flatMap((other) => other.texts)) list.append(createElement("li", { class: "length", dir: "auto" }, sentence));
  const kinds = table.kind$.map(textOf);
  const rank = (row) => (kinds[row] === "summary" ? 0 : 1);
  const rows = kinds.map((_, row) => row).filter((row) => kinds[row] !== "length" && !FOLDED.includes(kinds[row])).sort((i, j) => rank(i) - rank(j) || i - j);
  for (const row of rows) {
    const mark = kinds[row] === "summary" && VERDICTS[view.verdict] ? ` verdict ${view.verdict}` : "";
    list.append(createElement("li", { class: kinds[row].replace(/\W/g, "") + mark, dir: "auto" }, textOf(table.text$[row])));
  }
  return [list];
}

function snippetItem(listening, row) {
  const [start, end, path, recording] = [listening.start_s[row], listening.end_s[row], textOf(listening.path$[row]), textOf(listening.recording$[row])];
  const item = createElement("li");
  if (path) {
    const button = createElement("button", { type: "button", class: "play", "aria-label": `Play ${recording}, ${formatTime(start)} to ${formatTime(end)}` }, "▶");
    button.addEventListener("click", () => playSnippet(item, recording, path, start, end, listening.clip ? data.clips[listening.clip[row]] : null));
    item.append(button);
  }
  item.append(createElement("span", { class: "where", dir: "auto" }, recording),
    createElement("span", { class: "soft" }, `${formatTime(start)}–${formatTime(end)}`),
    createElement("span", { class: "soft", title: "share of the triplets with this X in which X is closer to A than to B" }, formatScore(listening.share[row])));
  return item;
}
// The lists of a pair's snippets with their headings. "Least often" has only those with a lower share, as printed, than
// each of those discriminated most often; without any, there is one list, which says so.
function listeningLists(listening, rows) {
  const ofRole = (role, direction) => rows.filter((row) => textOf(listening.role$[row]) === role)
    .sort((i, j) => direction * (listening.share[i] - listening.share[j]));
  const most = ofRole("most", -1), least = ofRole("least", 1);
  if (!most.length) return least.length ? [["Discriminated least often", least]] : [];
  const lowest = formatScore(listening.share[most[most.length - 1]]), highest = formatScore(listening.share[most[0]]);
  const lower = least.filter((row) => Number(formatScore(listening.share[row])) < Number(lowest));
  if (lower.length) return [["Discriminated most often", most], ["Discriminated least often", lower]];
  if (lowest === highest && least.length) return [[`All snippets are discriminated equally often (${highest})`, [...most, ...least]]];
  return [[least.length ? "Discriminated most often; none is discriminated less often than these" : "All snippets, the one discriminated most often first", most]];
}
// The snippets of a pair that were discriminated most and least often.
function renderListening(view, pair) {
  const { pairs, listening } = view.tables;
  if (!listening || pair === null) return [];
  const [a, b] = [pairs.a$[pair], pairs.b$[pair]];
  const rows = listening.a$.map((_, row) => row).filter((row) =>
    (listening.a$[row] === a && listening.b$[row] === b) || (listening.a$[row] === b && listening.b$[row] === a));
  const title = createElement("p", { class: "selection" }, createElement("bdi", {}, textOf(a)), " and ", createElement("bdi", {}, textOf(b)),
    `: ${formatScore(pairs.score[pair])} ${formatInterval(pairs, pair)}`);
  const lists = listeningLists(listening, rows).map(([heading, listed]) =>
    createElement("div", {}, createElement("h4", {}, heading), createElement("ol", {}, ...listed.map((row) => snippetItem(listening, row)))));
  if (!lists.length) lists.push(createElement("p", { class: "quiet" }, "No snippet is listed for this pair."));
  return [title, createElement("div", { class: "snippets" }, ...lists)];
}

function confusionTable(counts, column) {
  const rows = counts.classify$.map((_, row) => row).filter((row) => counts.classify$[row] === column);
  const labels = [...new Set(rows.flatMap((row) => [counts.label$[row], counts.predicted$[row]]))];
  const countOf = new Map(rows.map((row) => [`${counts.label$[row]} ${counts.predicted$[row]}`, counts.n[row]]));
  const head = createElement("tr", {}, createElement("th", { scope: "col" }, "true ↓  predicted →"),
    ...labels.map((label) => createElement("th", { scope: "col", class: "n", dir: "auto" }, textOf(label) || "(none)")));
  const body = labels.filter((label) => label !== null).map((label) => createElement("tr", {},
    createElement("th", { scope: "row", dir: "auto" }, textOf(label) || "(none)"),
    ...labels.map((predicted) => {
      const count = countOf.get(`${label} ${predicted}`) || 0;
      return createElement("td", { class: "n" }, !count ? "·" : label === predicted ? createElement("b", {}, String(count)) : String(count));
    })));
  return createElement("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "confusion matrix" },
    createElement("table", { class: "data confusion" }, createElement("thead", {}, head), createElement("tbody", {}, ...body)));
}
function renderClassification(view) {
  const { confusion, accuracy, classification } = view.tables;
  if (!confusion || !accuracy) return [];
  const elements = [createElement("h3", {}, "Classification")];
  accuracy.classify$.forEach((column, row) => {
    elements.push(createElement("p", {}, `By ${textOf(column)}: accuracy `, createElement("b", {}, formatScore(accuracy.accuracy[row])),
      ` ${formatInterval(accuracy, row)} over ${accuracy.n[row]} recordings; majority-class baseline ${formatScore(accuracy.chance[row])}. ${textOf(accuracy.note$[row])}`),
    confusionTable(confusion, column));
  });
  if (classification) {
    const summary = createElement("summary", {}, "Predictions by recording");
    elements.push(createElement("details", {}, summary, tableSection("classification", classification)));
  }
  return elements;
}

function highestScoringPair(view) {
  const { pairs } = view.tables;
  return pairs ? pairs.score.reduce((best, score, pair) => (isNumber(score) && (best === null || score > pairs.score[best]) ? pair : best), null) : null;
}
function initialView(views) {
  const start = JSON.stringify(data.start[views[0].experiment]);
  return views.find((view) => JSON.stringify([view.experiment, view.encoder, view.variant, view.snippet_s]) === start) || views[0];
}

function createViewer(section) {
  const views = data.views.filter((view) => view.experiment === section.dataset.experiment);
  const root = find(".viewer", section), opened = new Set();
  if (!views.length) return null;
  root.hidden = false;

  // Change a field; the other fields keep their values if there is such a view.
  function change(view, field, value) {
    const wanted = { ...view, [field]: value };
    const agreement = (other) => FIELDS.filter((name) => other[name] === wanted[name]).length + 0.1 * other.default;
    show(views.filter((other) => other[field] === value).reduce((best, other) => (agreement(other) > agreement(best) ? other : best)));
    const controls = findAll(`[data-field="${field}"]`, root);
    (controls.find((control) => control.getAttribute("aria-pressed") === "true") || controls[0]).focus();
  }
  function selectPair(view, pair, scroll = true) {
    for (const element of findAll("td.selected, tr.selected", root)) element.classList.remove("selected");
    for (const element of findAll(`td[data-pair="${pair}"], tr[data-pair="${pair}"]`, root)) element.classList.add("selected");
    const box = find(".listen", root);
    if (!box) return;
    box.replaceChildren(...renderListening(view, pair));
    const behavior = matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth";
    if (scroll) box.scrollIntoView({ block: "nearest", behavior });
  }
  function makeSelectable(view, row, pair) {
    row.dataset.pair = pair;
    row.className = "selectable";
    row.addEventListener("click", () => selectPair(view, pair));
    const button = createElement("button", { type: "button", class: "sr" }, "hear this pair");
    button.addEventListener("focus", () => button.classList.remove("sr"));
    button.addEventListener("blur", () => button.classList.add("sr"));
    row.cells[0].append(button);
  }
  function renderListeningSection(view) {
    if (view.tables.listening) {
      return [createElement("div", {}, createElement("h3", {}, "Listen"),
        createElement("p", { class: "quiet" }, data.clips.length ? "Clips in this page, or the original recordings. Select another cell to hear its snippets." : "In the original recordings. Select another cell to hear its snippets."),
        createElement("div", { class: "listen", "aria-live": "polite" }))];
    }
    if (data.listening_complete) return [];
    return [createElement("p", { class: "note" }, "The listening list of this variant is too long for the page: see tables/listening.csv.")];
  }
  function renderTables(view) {
    const onRow = view.tables.listening ? (row, pair) => makeSelectable(view, row, pair) : null;
    const folded = [
      ["pairs", { description: onRow ? "Select a row to hear its snippets. More columns are in tables/pairs.csv." : "More columns are in tables/pairs.csv.", skip: ["on", "p", "p_bh", "triplets_ab", "triplets_ba", "n_a", "n_b"], onRow }],
    ].filter(([name]) => view.tables[name]).map(([name, options]) => fold("All pairs, as a table and in words", tableSection(name, view.tables[name], options), foldedSentences(view, ["pair"])));
    const sections = [
      ["self_baselines", { heading: "Self-baselines", description: "The score of each recording against itself: in alternating blocks of 30 s, and of its first half against its second half (drift). A score between two recordings is meaningful only if it is higher." }],
      ["confounds", { heading: "Confounds", description: "Whether how the recordings were made goes along with what is compared: by pairs of recordings, or by the values of ON." }],
    ];
    const tables = sections.filter(([name]) => view.tables[name]).map(([name, options]) => tableSection(name, view.tables[name], options));
    if (tables.length) folded.push(fold("Baselines and confounds", foldedSentences(view, ["baseline", "confound"]), ...tables));
    return folded;
  }
  // Unfolded if it was: changing the view keeps what is open.
  function fold(title, ...contents) {
    const element = createElement("details", { open: opened.has(title) }, createElement("summary", {}, title), ...contents);
    element.addEventListener("toggle", () => { if (element.open) opened.add(title); else opened.delete(title); });
    return element;
  }
  function foldedSentences(view, kinds) {
    const table = view.tables.sentences || { kind$: [], text$: [] };
    const rows = table.kind$.map((_, row) => row).filter((row) => kinds.includes(textOf(table.kind$[row])));
    return createElement("ul", { class: "sentences" }, ...rows.map((row) => createElement("li", { dir: "auto" }, textOf(table.text$[row]))));
  }
  function showMaps(view) {
    const key = JSON.stringify([view.experiment, view.encoder, view.variant, view.snippet_s]);
    const figures = findAll(".maps figure", section);
    for (const figure of figures) figure.hidden = JSON.stringify(JSON.parse(figure.dataset.view)) !== key;
    const note = find(".no-maps", section);
    if (note) note.hidden = figures.some((figure) => !figure.hidden);
  }
  function show(view) {
    hideTooltip();
    stopPlayback();
    const heading = createElement("h3", { class: "scores" }, "Scores: ", createElement("bdi", {}, `${view.encoder}, ${view.variant}, ${view.length}`));
    root.replaceChildren(
      renderControls(view, views, (field, value) => change(view, field, value)), ...renderSentences(view), heading,
      ...renderMatrix(view, (pair) => selectPair(view, pair)), ...renderListeningSection(view), ...renderTables(view),
      ...renderClassification(view));
    const pair = highestScoringPair(view);
    if (pair !== null) selectPair(view, pair, false);
    showMaps(view);
    for (const box of findAll(".scroll, .matrixbox", root)) hintAtOverflow(box);
  }
  show(initialView(views));
  return show;
}
