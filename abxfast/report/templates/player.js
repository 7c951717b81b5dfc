// The player: one snippet of an original recording at a time.
const player = find("#player"), audio = find("audio", player);
let startS = 0, endS = Infinity, playingItem = null;

function stopPlayback() {
  audio.pause();
  if (playingItem) playingItem.classList.remove("playing");
  player.hidden = true;
}
function followPlayback() {
  if (audio.paused) return;
  if (audio.currentTime >= endS) audio.pause();
  const percent = (100 * (audio.currentTime - startS)) / (endS - startS);
  find(".bar i", player).style.width = `${Math.min(100, Math.max(0, percent))}%`;
  requestAnimationFrame(followPlayback);
}
function playSnippet(item, recording, path, start, end, clip) {
  if (playingItem) playingItem.classList.remove("playing");
  playingItem = item;
  playingItem.classList.add("playing");
  player.hidden = false;
  find(".name", player).textContent = recording;
  find(".interval", player).textContent = `${formatTime(start)} to ${formatTime(end)}`;
  find(".error", player).textContent = "";
  [startS, endS] = clip ? [0, clip.seconds] : [start, end];
  audio.src = clip ? clip.uri : `${data.urls[path]}#t=${start},${end}`;
  if (clip && clip.seconds < end - start - 0.1) find(".interval", player).textContent += ` (first ${clip.seconds.toFixed(0)} s)`;
  audio.play().catch((error) => {
    if (error.name === "AbortError") return;
    find(".error", player).textContent = `Cannot be played: the file is no longer at ${path}, or this browser does not support its format.`;
  });
}
audio.addEventListener("playing", followPlayback);
audio.addEventListener("timeupdate", () => { if (audio.currentTime >= endS) audio.pause(); });
audio.addEventListener("pause", () => { if (playingItem) playingItem.classList.remove("playing"); });
find(".stop", player).addEventListener("click", stopPlayback);
