// What is done once for the whole page.
for (const table of findAll("table.sortable")) {
  const meanings = data.meanings[table.dataset.table] || {};
  for (const head of findAll("th[data-column]", table)) if (meanings[head.dataset.column]) head.title = meanings[head.dataset.column];
  makeSortable(table);
}
const showView = new Map(findAll("section.experiment").map((section) => [section.dataset.experiment, createViewer(section)]));
for (const box of findAll("main > section > .scroll, .figurebox, details .scroll")) hintAtOverflow(box);
for (const link of findAll("a[data-view]")) {
  link.addEventListener("click", (event) => {
    const view = data.views[Number(link.dataset.view)], show = showView.get(view.experiment);
    if (!show) return;
    event.preventDefault();
    show(view);
    find(`${link.getAttribute("href")} .scores`).scrollIntoView();
  });
}

const themeButton = find("#theme");
const labelThemeButton = () => { themeButton.textContent = isDark() ? "Light" : "Dark"; };
themeButton.hidden = false;
themeButton.addEventListener("click", () => {
  document.documentElement.dataset.theme = isDark() ? "light" : "dark";
  labelThemeButton();
  colourCells();
});
prefersDark.addEventListener("change", () => { labelThemeButton(); colourCells(); });
printing.addEventListener("change", () => colourCells());
labelThemeButton();

addEventListener("beforeprint", () => { for (const details of findAll("details")) details.open = true; });
for (const button of findAll("button.copy")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const source = document.getElementById(button.dataset.copies);
    getSelection().selectAllChildren(source);
    try { await navigator.clipboard.writeText(source.innerText); button.textContent = "Copied"; } catch { button.textContent = "Selected: press Ctrl+C"; }
  });
}
