// Cells coloured by score, on light and dark pages and on paper.
const parseColour = (hex) => [1, 3, 5].map((start) => parseInt(hex.slice(start, start + 2), 16));
const colourStops = Object.fromEntries(Object.entries(data.colours).map(
  ([theme, stops]) => [theme, stops.map(([score, hex]) => [score, parseColour(hex)])]));
const prefersDark = matchMedia("(prefers-color-scheme: dark)");
const printing = matchMedia("print");
function isDark() {
  const theme = document.documentElement.dataset.theme || (prefersDark.matches ? "dark" : "light");
  return theme === "dark" && !printing.matches;
}

// The background of a score, interpolated between stops, and the text colour that is legible on it.
function coloursOf(score) {
  const stops = colourStops[isDark() ? "dark" : "light"];
  let upper = stops.findIndex(([stop]) => stop >= score);
  if (upper < 0) upper = stops.length - 1;
  const [end, endColour] = stops[upper], [start, startColour] = stops[Math.max(0, upper - 1)];
  const share = end > start ? (score - start) / (end - start) : 0;
  const mixed = startColour.map((channel, number) => Math.round(channel + share * (endColour[number] - channel)));
  const linear = mixed.map((channel) => (channel / 255 <= 0.04045 ? channel / 255 / 12.92 : ((channel / 255 + 0.055) / 1.055) ** 2.4));
  const luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  return { background: `rgb(${mixed.join(",")})`, text: luminance < (isDark() ? 0.2 : 0.32) ? "#ffffff" : "#23262b" };
}
function colourCells(root = document) {
  for (const cell of findAll("td[data-score]", root)) {
    const { background, text } = coloursOf(Number(cell.dataset.score));
    cell.style.setProperty("--score", background);
    cell.style.setProperty("--on-score", text);
  }
}
