"use strict";
// Every text of the study gets onto the page as text (textContent, setAttribute), never as markup.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const FEW = 200, WITH_VALUES = 24, BIG = 12;
  const WORDS = {
    score_ab: "a → b", score_ba: "b → a", low: "95 % from", high: "to", p_holm: "p Holm", p_bh: "p B–H",
    triplets_ab: "triplets a → b", triplets_ba: "triplets b → a", n_a: "snippets a", n_b: "snippets b",
    alternating_split: "alternating blocks", alternating_split_low: "95% from", alternating_split_high: "to", half_split: "halves", half_split_low: "95% from", half_split_high: "to",
  };

  function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
    }
    for (const child of children) element.append(child);  // strings become text nodes
    return element;
  }
  const text = (number) => (number === null || number === undefined ? "" : data.strings[number]);
  const isNumber = (value) => typeof value === "number" && Number.isFinite(value);
  const score = (value) => (isNumber(value) ? value.toFixed(2) : "–");
  const interval = (table, row, of = "") => (isNumber(table[`${of}low`][row]) ? `[${score(table[`${of}low`][row])}, ${score(table[`${of}high`][row])}]` : "(no interval)");
  const probability = (value) => (!isNumber(value) ? "–" : value < 0.001 ? "< 0.001" : value.toFixed(3));
  const clock = (s) => `${Math.floor(s / 60)}:${(s % 60).toFixed(1).padStart(4, "0")}`;
  function shown(name, value) {
    if (value === null || value === undefined) return "–";
    if (typeof value === "boolean") return value ? "yes" : "no";
    if (!isNumber(value)) return String(value);
    if (/^p($|_)/.test(name)) return probability(value);
    return Number.isInteger(value) && !/score|low|high|split|correlation|accuracy|chance/.test(name)
      ? value.toLocaleString("en") : value.toFixed(3);
  }

  // ---- colours -------------------------------------------------------------------------------------------------
  const rgb = (hex) => [1, 3, 5].map((start) => parseInt(hex.slice(start, start + 2), 16));
  const scales = Object.fromEntries(Object.entries(data.colours).map(
    ([name, stops]) => [name, stops.map(([at, hex]) => [at, rgb(hex)])]));
  const asked = matchMedia("(prefers-color-scheme: dark)");
  const printing = matchMedia("print");
  const isDark = () => !printing.matches && (document.documentElement.dataset.theme || (asked.matches ? "dark" : "light")) === "dark";
  function colour(value) {
    const stops = scales[isDark() ? "dark" : "light"];
    let upper = stops.findIndex(([at]) => at >= value);
    if (upper < 0) upper = stops.length - 1;
    const [to, high] = stops[upper], [from, low] = stops[Math.max(0, upper - 1)];
    const share = to > from ? (value - from) / (to - from) : 0;
    const mixed = low.map((part, number) => Math.round(part + share * (high[number] - part)));
    const linear = mixed.map((part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
    const light = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
    return { back: `rgb(${mixed.join(",")})`, ink: light < (isDark() ? 0.2 : 0.32) ? "#ffffff" : "#23262b" };
  }
  function paint(root = document) {
    for (const cell of $$("td[data-score]", root)) {
      const { back, ink } = colour(Number(cell.dataset.score));
      cell.style.backgroundColor = back;
      cell.style.color = ink;
    }
  }

  // ---- tables that sort ----------------------------------------------------------------------------------------
  const collate = new Intl.Collator("en", { numeric: true });
  const valueOf = (cell) => {
    const raw = cell.dataset.v ?? cell.textContent.replaceAll(",", "");
    if (raw === "" || raw === "–") return null;
    const number = Number(raw);
    return cell.classList.contains("n") && !Number.isNaN(number) ? number : raw;
  };
  function sortable(table) {
    const heads = $$("thead th", table);
    heads.forEach((head, column) => {
      const button = make("button", { type: "button" });
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        for (const other of heads) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const body = table.tBodies[0];
        const rows = [...body.rows].map((row, place) => [valueOf(row.cells[column]), place, row]);
        rows.sort(([a, i], [b, j]) => {
          if (a === null || b === null) return (a === null) - (b === null) || i - j;  // what is missing stays last
          const by = typeof a === "number" && typeof b === "number" ? a - b : collate.compare(a, b);
          return (down ? -by : by) || i - j;
        });
        body.append(...rows.map(([, , row]) => row));
      });
    });
    if (table.tBodies[0].rows.length > FEW) {
      table.classList.add("few");
      const more = make("button", { type: "button" }, `Show all ${table.tBodies[0].rows.length.toLocaleString("en")} rows`);
      more.addEventListener("click", () => { table.classList.remove("few"); more.remove(); });
      table.closest(".scroll").after(more);
    }
  }
  const figures = (key) => (/^(triplets_|n_)/.test(key) ? "n minor" : "n");  // minor: not on paper
  function dataTable(name, columns, { skip = [], onRow = null } = {}) {
    const names = Object.keys(columns).filter((key) => !skip.includes(key.replace("$", "")));
    const count = names.length ? columns[names[0]].length : 0;
    const empty = (key) => columns[key].every((value) => value === null || (key.endsWith("$") && text(value) === ""));
    const kept = names.filter((key) => !empty(key));
    const heads = kept.map((key) => {
      const plain = key.replace("$", "");
      const meaning = (data.meanings[name] || {})[plain];
      return make("th", { scope: "col", class: key.endsWith("$") ? null : figures(key), title: meaning }, WORDS[plain] || plain.replaceAll("_", " "));
    });
    const body = make("tbody");
    for (let row = 0; row < count; row += 1) {
      const line = make("tr");
      for (const key of kept) {
        const value = columns[key][row];
        if (key.endsWith("$")) line.append(make("td", { dir: "auto", class: key === "note$" ? "wide" : null }, text(value)));
        else line.append(make("td", { class: figures(key), "data-v": isNumber(value) ? value : "" }, shown(key, value)));
      }
      if (onRow) onRow(line, row);
      body.append(line);
    }
    const table = make("table", { class: "data", "data-table": name }, make("thead", {}, make("tr", {}, ...heads)), body);
    const box = make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": name }, table);
    return [box, table];
  }

  // ---- the tip -------------------------------------------------------------------------------------------------
  const tip = $("#tip");
  function tell(cell, lines) {
    tip.replaceChildren(...lines);
    tip.hidden = false;
    const at = cell.getBoundingClientRect(), box = tip.getBoundingClientRect();
    const left = Math.min(Math.max(8, at.left + at.width / 2 - box.width / 2), innerWidth - box.width - 8);
    const above = at.top - box.height - 8;
    tip.style.left = `${left}px`;
    tip.style.top = `${above > 8 ? above : Math.min(at.bottom + 8, innerHeight - box.height - 8)}px`;
  }
  const hush = () => { tip.hidden = true; };
  addEventListener("scroll", hush, { passive: true });
  addEventListener("keydown", (event) => { if (event.key === "Escape") hush(); });

  // ---- the player ----------------------------------------------------------------------------------------------
  const player = $("#player"), audio = $("audio", player);
  let until = Infinity, from = 0, line = null;
  function stop() {
    audio.pause();
    if (line) line.classList.remove("playing");
    player.hidden = true;
  }
  function watch() {
    if (audio.paused) return;
    if (audio.currentTime >= until) audio.pause();
    $(".bar i", player).style.width = `${Math.min(100, Math.max(0, (100 * (audio.currentTime - from)) / (until - from)))}%`;
    requestAnimationFrame(watch);
  }
  function play(row, name, path, start, end) {
    if (line) line.classList.remove("playing");
    line = row;
    line.classList.add("playing");
    player.hidden = false;
    $(".name", player).textContent = name;
    $(".stretch", player).textContent = `${clock(start)} to ${clock(end)}`;
    $(".trouble", player).textContent = "";
    [from, until] = [start, end];
    audio.src = `${data.urls[path]}#t=${start},${end}`;
    audio.play().catch((error) => {
      if (error.name === "AbortError") return;
      $(".trouble", player).textContent = `It cannot be played: the file is no longer at ${path}, or this browser does not read its format.`;
    });
  }
  audio.addEventListener("playing", watch);
  audio.addEventListener("timeupdate", () => { if (audio.currentTime >= until) audio.pause(); });
  audio.addEventListener("pause", () => { if (line) line.classList.remove("playing"); });
  $(".stop", player).addEventListener("click", stop);

  // ---- one experiment ------------------------------------------------------------------------------------------
  const same = (view, other, fields) => fields.every((field) => view[field] === other[field]);
  const FIELDS = ["encoder", "variant", "length"];

  function experiment(section) {
    const name = section.dataset.experiment;
    const views = data.views.filter((view) => view.experiment === name);
    const root = $(".viewer", section);
    if (!views.length) return;
    root.hidden = false;
    const first = views.filter((view) => view.default && view.encoder === views[0].encoder);
    let now = first.find((view) => view.snippet_s === 10) || first[first.length - 1] || views[0];
    let chosen = null;

    function controls() {
      const bar = make("div", { class: "controls" });
      for (const field of FIELDS) {
        const others = FIELDS.slice(0, FIELDS.indexOf(field));
        const options = [...new Set(views.filter((view) => same(view, now, others)).map((view) => view[field]))];
        const label = field === "length" ? "snippets" : field;
        if (options.length > 6) {
          const select = make("select", { "data-field": field });
          for (const option of options) select.append(make("option", { selected: option === now[field] }, option));
          select.addEventListener("change", () => choose(field, options[select.selectedIndex]));
          bar.append(make("label", {}, label, select));
        } else {
          const group = make("span", { class: "group", role: "group", "aria-label": label });
          for (const option of options) {
            const button = make("button", { type: "button", "data-field": field, "aria-pressed": String(option === now[field]) }, option);
            button.addEventListener("click", () => choose(field, option));
            group.append(button);
          }
          bar.append(make("label", {}, label, group));
        }
      }
      return bar;
    }
    function choose(field, value) {
      const wanted = { ...now, [field]: value };
      const fits = views.filter((view) => view[field] === value);
      const near = (view) => FIELDS.filter((other) => view[other] === wanted[other]).length + 0.1 * view.default;
      now = fits.reduce((best, view) => (near(view) > near(best) ? view : best));
      draw();
      const again = $$(`[data-field="${field}"]`, root);
      (again.find((button) => button.getAttribute("aria-pressed") === "true") || again[0]).focus();
    }

    function sentences() {
      const list = make("ul", { class: "says" });
      const said = now.tables.sentences || { kind$: [], text$: [] };
      const lengths = data.series.filter((one) => one.experiment === name && one.encoder === now.encoder && one.variant === now.variant);
      for (const sentence of lengths.flatMap((one) => one.texts)) list.append(make("li", { class: "length", dir: "auto" }, sentence));
      let pairs = 0;
      const rank = (row) => (text(said.kind$[row]) === "summary" ? 0 : 1);
      const order = said.text$.map((_, row) => row).sort((i, j) => rank(i) - rank(j) || i - j);
      order.forEach((row) => {
        const kind = text(said.kind$[row]), sentence = said.text$[row];
        if (kind === "length") return;
        if (kind === "pair") pairs += 1;
        const item = make("li", { class: kind.replace(/\W/g, ""), dir: "auto" }, text(sentence));
        if (kind === "pair" && pairs > 6) item.hidden = true;
        list.append(item);
      });
      if (pairs <= 6) return [list];
      const more = make("button", { type: "button" }, `All ${pairs} sentences on pairs`);
      more.addEventListener("click", () => { for (const item of list.children) item.hidden = false; more.remove(); });
      return [list, more];
    }

    function matrix() {
      const pairs = now.tables.pairs;
      if (!pairs) return [];
      const order = now.order, place = new Map(order.map((id, index) => [id, index]));
      const cells = new Map();
      pairs.a$.forEach((a, row) => {
        cells.set(`${place.get(a)} ${place.get(pairs.b$[row])}`, [row, pairs.score_ab[row]]);
        cells.set(`${place.get(pairs.b$[row])} ${place.get(a)}`, [row, pairs.score_ba[row]]);
      });
      const baselines = now.tables.self_baselines, baselineOf = new Map();
      if (baselines && text(pairs.on$[0]) === "recording") baselines.label$.forEach((label, row) => baselineOf.set(place.get(label), row));
      const values = order.length <= WITH_VALUES;
      const every = values ? 1 : 5;
      const head = make("tr", {}, make("th"));
      order.forEach((id, column) => head.append(make("th", { scope: "col", title: text(id) }, (column + 1) % every === 0 || column === 0 ? String(column + 1) : "")));
      const body = make("tbody");
      order.forEach((id, row) => {
        const line = make("tr", {}, make("th", { scope: "row", title: text(id), dir: "auto" }, now.short[row], make("span", { class: "no" }, String(row + 1))));
        order.forEach((_, column) => {
          const [pair, value] = cells.get(`${row} ${column}`) || [null, null];
          const self = row === column && baselineOf.has(row) && isNumber(baselines.alternating_split_low[baselineOf.get(row)]) ? baselines.alternating_split[baselineOf.get(row)] : null;
          const sure = row !== column && (pair !== null && (pairs.low[pair] > 0.5 || (isNumber(pairs.high[pair]) && pairs.high[pair] < 0.5)));
          const number = row === column ? self : value;
          const cell = make("td", {
            "data-row": row, "data-column": column, "data-pair": pair, "data-score": isNumber(number) ? number : null,
            class: row === column ? (isNumber(self) ? "self" : "none") : !isNumber(value) ? "none" : sure ? "sure" : null,
            tabindex: "-1",
          }, values && isNumber(number) ? number.toFixed(2) : "");
          line.append(cell);
        });
        body.append(line);
      });
      const size = order.length <= BIG ? "" : values ? " mid" : " small";
      const table = make("table", { class: `matrix${size}`, "aria-label": "Matrix of scores: row, A and X; column, B" }, make("thead", {}, head), body);
      const start = body.rows[0] && body.rows[0].cells[Math.min(2, order.length)];
      if (start) start.tabIndex = 0;
      const over = (cell) => {
        if (!cell || cell.dataset.row === undefined) return hush();
        tell(cell, about(cell, pairs, baselines, baselineOf));
      };
      table.addEventListener("mouseover", (event) => over(event.target.closest("td")));
      table.addEventListener("mouseleave", hush);
      table.addEventListener("focusin", (event) => over(event.target.closest("td")));
      table.addEventListener("focusout", hush);
      table.addEventListener("click", (event) => {
        const cell = event.target.closest("td[data-pair]");
        if (cell) pick(Number(cell.dataset.pair), true);
      });
      table.addEventListener("keydown", (event) => {
        const cell = event.target.closest("td");
        const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
        if (!cell) return;
        if (event.key === "Enter" && cell.dataset.pair !== undefined) pick(Number(cell.dataset.pair), true);
        if (!step) return;
        event.preventDefault();
        const row = body.rows[Number(cell.dataset.row) + step[0]];
        const next = row && $(`td[data-column="${Number(cell.dataset.column) + step[1]}"]`, row);
        if (next) { cell.tabIndex = -1; next.tabIndex = 0; next.focus(); }
      });
      paint(table);
      return [make("div", { class: "matrixbox" }, table),
        make("p", { class: "note" }, `Row: A and X. Column: B. Point at a cell for its interval${now.tables.listening ? ", choose it to hear its snippets" : ""}.`
          + (values ? " Bold: the interval does not hold 0.5." : "")
          + (baselineOf.size ? " The diagonal is each recording against itself, in blocks of 30 s, where it is long enough." : ""))];
    }
    function about(cell, pairs, baselines, baselineOf) {
      const row = Number(cell.dataset.row), column = Number(cell.dataset.column);
      const bold = (value) => make("b", {}, value);
      const name = (at) => text(now.order[at]);
      if (row === column) {
        if (!baselineOf.has(row)) return [make("div", {}, name(row))];
        const at = baselineOf.get(row);
        return [make("div", { dir: "auto" }, name(row)),
          make("div", {}, "against itself: ", bold(score(baselines.alternating_split[at])), ` ${interval(baselines, at, "alternating_split_")}`),
          make("div", {}, `first half against second: ${score(baselines.half_split[at])} ${interval(baselines, at, "half_split_")}`),
          make("div", { class: "soft" }, text(baselines.note$[at]))];
      }
      const lines = [make("div", { dir: "auto" }, `A, X: ${name(row)}`), make("div", { dir: "auto" }, `B: ${name(column)}`)];
      if (cell.dataset.pair === undefined) return [...lines, make("div", {}, "not scored")];
      const at = Number(cell.dataset.pair);
      lines.push(
        make("div", {}, bold(isNumber(Number(cell.dataset.score)) ? score(Number(cell.dataset.score)) : "–"), " this way"),
        make("div", {}, `both ways ${score(pairs.score[at])} ${interval(pairs, at)}`),
        make("div", { class: "soft" }, `p ${probability(pairs.p[at])} · Holm ${probability(pairs.p_holm[at])} · B–H ${probability(pairs.p_bh[at])}`));
      for (const note of [text(pairs.context$[at]), text(pairs.note$[at])]) if (note) lines.push(make("div", { class: "soft" }, note));
      return lines;
    }

    function pick(pair, scroll) {
      chosen = pair;
      for (const cell of $$("td.chosen, tr.chosen", root)) cell.classList.remove("chosen");
      for (const cell of $$(`td[data-pair="${pair}"], tr[data-pair="${pair}"]`, root)) cell.classList.add("chosen");
      const box = $(".listen", root);
      if (!box) return;
      box.replaceChildren(...listen());
      if (scroll) box.scrollIntoView({ block: "nearest", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
    }
    function listen() {
      const pairs = now.tables.pairs, heard = now.tables.listening;
      if (!heard || chosen === null) return [];
      const [a, b] = [pairs.a$[chosen], pairs.b$[chosen]];
      const rows = heard.a$.map((_, row) => row).filter((row) =>
        (heard.a$[row] === a && heard.b$[row] === b) || (heard.a$[row] === b && heard.b$[row] === a));
      const title = make("p", { class: "choice" }, make("bdi", {}, text(a)), " and ", make("bdi", {}, text(b)),
        `: ${score(pairs.score[chosen])} ${interval(pairs, chosen)}`);
      const lists = ["most", "least"].map((role) => {
        const mine = rows.filter((row) => text(heard.role$[row]) === role);
        mine.sort((i, j) => (role === "most" ? heard.share[j] - heard.share[i] : heard.share[i] - heard.share[j]));
        const list = make("ol");
        for (const row of mine) {
          const [start, end, path] = [heard.start_s[row], heard.end_s[row], text(heard.path$[row])];
          const label = text(heard.recording$[row]);
          const item = make("li");
          if (path) {
            const button = make("button", { type: "button", class: "play", "aria-label": `Play ${label}, ${clock(start)} to ${clock(end)}` }, "▶");
            button.addEventListener("click", () => play(item, label, path, start, end));
            item.append(button);
          }
          item.append(make("span", { class: "where", dir: "auto" }, label),
            make("span", { class: "soft" }, `${clock(start)}–${clock(end)}`),
            make("span", { class: "soft", title: "share of the triplets with this X that were won" }, score(heard.share[row])));
          list.append(item);
        }
        return make("div", {}, make("h4", {}, role === "most" ? "Told apart most often" : "Told apart least often"),
          mine.length ? list : make("p", { class: "quiet" }, "none"));
      });
      return [title, make("div", { class: "heard" }, ...lists)];
    }

    function confusion() {
      const counts = now.tables.confusion, rates = now.tables.accuracy;
      if (!counts || !rates) return [];
      const found = [make("h3", {}, "Classification")];
      rates.classify$.forEach((column, at) => {
        const mine = counts.classify$.map((_, row) => row).filter((row) => counts.classify$[row] === column);
        const labels = [...new Set(mine.flatMap((row) => [counts.label$[row], counts.predicted$[row]]))];
        const of = new Map(mine.map((row) => [`${counts.label$[row]} ${counts.predicted$[row]}`, counts.n[row]]));
        const head = make("tr", {}, make("th", { scope: "col" }, "own ↓  given →"), ...labels.map((id) => make("th", { scope: "col", class: "n", dir: "auto" }, text(id) || "(none)")));
        const body = labels.filter((own) => own !== null).map((own) => make("tr", {}, make("th", { scope: "row", dir: "auto" }, text(own) || "(none)"),
          ...labels.map((given) => {
            const count = of.get(`${own} ${given}`) || 0;
            return make("td", { class: "n" }, own === given && count ? make("b", {}, String(count)) : count ? String(count) : "·");
          })));
        found.push(make("p", {}, `By ${text(column)}: `, make("b", {}, score(rates.accuracy[at])),
          ` [${score(rates.low[at])}, ${score(rates.high[at])}] of ${rates.n[at]} recordings are right; always guessing the commonest gives ${score(rates.chance[at])}. ${text(rates.note$[at])}`),
        make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "confusion matrix" },
          make("table", { class: "data confusion" }, make("thead", {}, head), make("tbody", {}, ...body))));
      });
      const each = now.tables.classification;
      if (each) {
        const [box, table] = dataTable("classification", each);
        found.push(make("details", {}, make("summary", {}, "Each recording"), box));
        sortable(table);
      }
      return found;
    }
    function titled(title, table, explained, options) {
      if (!now.tables[table]) return [];
      const [box, made] = dataTable(table, now.tables[table], options);
      const wrapped = make("div", {}, make("h3", {}, title), make("p", { class: "quiet" }, explained), box);
      sortable(made);
      return [wrapped];
    }

    function draw() {
      hush();
      stop();
      const pairs = now.tables.pairs;
      const best = pairs ? pairs.score.reduce((top, value, row) => (isNumber(value) && (top === null || value > pairs.score[top]) ? row : top), null) : null;
      chosen = best;
      const listening = make("div", {}, make("h3", {}, "Listen"),
        make("p", { class: "quiet" }, "The snippets that were told apart most and least often, in the original recordings. Choose another cell or row to hear its own."),
        make("div", { class: "listen", "aria-live": "polite" }));
      const onRow = (line, row) => {
        line.dataset.pair = row;
        line.className = "pick";
        line.addEventListener("click", () => pick(row, true));
        const button = make("button", { type: "button", class: "sr" }, "hear this pair");
        button.addEventListener("focus", () => button.classList.remove("sr"));
        button.addEventListener("blur", () => button.classList.add("sr"));
        line.cells[0].append(button);
      };
      root.replaceChildren(
        controls(), ...sentences(), make("h3", {}, "Scores: ", make("bdi", {}, `${now.encoder}, ${now.variant}, ${now.length}`)), ...matrix(),
        ...(now.tables.listening ? [listening] : data.heard_all ? [] : [make("p", { class: "note" }, "The listening list of this variant is in tables/listening.csv: it is too long for the page.")]),
        ...titled("Pairs", "pairs", "Choose a row to hear it.", { skip: ["on"], onRow: now.tables.listening ? onRow : null }),
        ...titled("Self-baselines", "self_baselines", "What a recording scores against itself: in alternating blocks of 30 s, and its first half against its second (drift). A score between two recordings means something only above these."),
        ...titled("Confounds", "confounds", "How far differences in how recordings were made go along with their scores: rank correlation over pairs."),
        ...confusion());
      if (chosen !== null) pick(chosen, false);
      let maps = 0;
      const view = JSON.stringify([name, now.encoder, now.variant, now.snippet_s]);
      for (const figure of $$(".maps figure", section)) {
        const [experimentName, encoder, variant, snippet] = JSON.parse(figure.dataset.view);
        figure.hidden = JSON.stringify([experimentName, encoder, variant, snippet]) !== view;
        maps += !figure.hidden;
      }
      const none = $(".nomap", section);
      if (none) none.hidden = maps > 0;
    }
    draw();
  }

  // ---- the page ------------------------------------------------------------------------------------------------
  for (const table of $$("table.sortable")) {
    const meanings = data.meanings[table.dataset.table] || {};
    for (const head of $$("th[data-column]", table)) if (meanings[head.dataset.column]) head.title = meanings[head.dataset.column];
    sortable(table);
  }
  for (const section of $$("section.experiment")) experiment(section);
  const theme = $("#theme");
  const name = () => { theme.textContent = isDark() ? "Light" : "Dark"; };
  theme.hidden = false;
  theme.addEventListener("click", () => { document.documentElement.dataset.theme = isDark() ? "light" : "dark"; name(); paint(); });
  asked.addEventListener("change", () => { name(); paint(); });
  printing.addEventListener("change", () => paint());
  name();
  addEventListener("beforeprint", () => { for (const one of $$("details")) one.open = true; });
  for (const button of $$("button.copy")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const source = document.getElementById(button.dataset.copies);
      getSelection().selectAllChildren(source);
      try { await navigator.clipboard.writeText(source.innerText); button.textContent = "Copied"; } catch { button.textContent = "Selected: press Ctrl+C"; }
    });
  }
})();
