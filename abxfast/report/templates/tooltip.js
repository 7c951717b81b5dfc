// The tooltip of a cell: above it if there is room, below it otherwise.
const tooltip = find("#tooltip");
function showTooltip(cell, lines) {
  tooltip.replaceChildren(...lines);
  tooltip.hidden = false;
  const target = cell.getBoundingClientRect(), box = tooltip.getBoundingClientRect();
  const left = Math.min(Math.max(8, target.left + target.width / 2 - box.width / 2), innerWidth - box.width - 8);
  const above = target.top - box.height - 8;
  tooltip.style.left = `${left}px`;
  tooltip.style.top = `${above > 8 ? above : Math.min(target.bottom + 8, innerHeight - box.height - 8)}px`;
}
function hideTooltip() {
  tooltip.hidden = true;
}
addEventListener("scroll", hideTooltip, { passive: true });
addEventListener("keydown", (event) => { if (event.key === "Escape") hideTooltip(); });
