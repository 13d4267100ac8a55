
/* The three screens: start, judge, end. */

const $ = (id) => document.getElementById(id);

const NOUNS = { text: "text", poem: "poem", music: "tune" };
const QUESTIONS = {
  text: "Who wrote this text?",
  poem: "Who wrote this poem?",
  music: "Who composed this tune?",
};
const NOT_KEPT =
  "This browser does not keep your answers when the page is closed. " +
  "Save them to a file before you close it; with that file you can continue later.";

const noun = NOUNS[data.kind];
let record = properRecord(keeper.load());
let unsaved = false; // answers that are neither kept nor in a file

function plural(count) {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

function change(update) {
  Object.assign(record, update);
  keeper.store(record);
  show();
}

function show() {
  player.stop();
  for (const screen of SCREENS) $(screen).hidden = screen !== record.screen;
  $("progress").hidden = record.screen === "start";
  $("bar").max = total;
  $("bar").value = countAnswers(record);
  $("judged").textContent = `${countAnswers(record)} of ${total} judged`;
  $("notice").hidden = keeper.works;
  $("notice").textContent = keeper.works ? "" : NOT_KEPT;
  ({ start: showStart, judge: showItem, end: showEnd })[record.screen]();
}

/* What to say of characters that would be seen as boxes; "" if there are none. */
function glyphNotice() {
  if (!data.language) return "";
  const text = data.items.map((item) => [item.content].flat().join("")).join("");
  const font = getComputedStyle(document.documentElement).getPropertyValue("--chinese");
  const missing = missingCharacters(text, font).length;
  const different = new Set(text.replace(/\s/gu, "")).size;
  if (!missing) return "";
  return (
    `This browser has no font for ${missing} of the ${different} different characters on this ` +
    "page and shows boxes in their place. Please use another device, or install a Chinese font " +
    "(such as Noto Serif CJK) before you start."
  );
}

function showStart() {
  const notice = glyphNotice();
  $("glyphs").textContent = notice;
  $("glyphs").hidden = !notice;
  $("count").textContent = plural(total);
  $("rater").value = record.rater;
}

function showItem() {
  const item = data.items[record.at];
  $("position").textContent = `${noun[0].toUpperCase()}${noun.slice(1)} ${record.at + 1} of ${total}`;
  $("item").replaceChildren(contentOf(item));
  $("question").textContent = QUESTIONS[data.kind];
  for (const verdict of VERDICTS) {
    $(verdict).setAttribute("aria-pressed", String(record.answers[item.id] === verdict));
  }
  $("back").disabled = record.at === 0;
  $("next").textContent = item.id in record.answers ? "Next →" : "Skip →";
  scrollTo(0, 0);
}

/* What comes from a file is only ever text: textContent, never markup. */
function contentOf(item) {
  if (data.kind === "music") return tune(item.content);
  const element = document.createElement(data.kind === "poem" ? "div" : "p");
  element.className = data.kind;
  element.dir = "auto";
  if (data.language) element.lang = data.language;
  if (data.kind === "poem") {
    for (const line of item.content) {
      const span = document.createElement("span");
      span.textContent = line;
      element.append(span);
    }
  } else element.textContent = item.content;
  return element;
}

function showEnd() {
  const left = total - countAnswers(record);
  $("verdict").textContent = left ? "Stopped here" : "Thank you, that was all";
  const go = keeper.works ? "You can close this page and continue later, or save your answers now. " : "";
  $("remaining").textContent = left
    ? `${plural(left)} not judged yet. ${go}`
    : "Now save the answers, and send the file to whoever gave you this page.";
  $("resume").textContent = left ? "Continue" : "Look at them again";
  $("copy").value = answersFile(record);
  $("saved").hidden = true;
  $("verdict").focus();
}

function judge(verdict) {
  record.answers[data.items[record.at].id] = verdict;
  unsaved = true;
  step(1);
}

function step(by) {
  const at = record.at + by;
  if (at >= total) change({ screen: "end" });
  else change({ at: Math.max(0, at) });
}

function save() {
  const name = answersFileName(record);
  const link = document.createElement("a");
  const url = URL.createObjectURL(new Blob([answersFile(record)], { type: "application/json" }));
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
  unsaved = false;
  $("saved").textContent = `Saved as ${name}, where your browser puts downloads.`;
  $("saved").hidden = false;
}

async function load(file) {
  try {
    record = recordFromFile(await file.text());
    unsaved = false;
    change({ screen: firstOpen(record) < 0 ? "end" : "judge" });
  } catch (error) {
    $("notice").textContent = error.message;
    $("notice").hidden = false;
  }
}

$("start").addEventListener("submit", (event) => {
  event.preventDefault();
  // Answers that an earlier view of this page stored may arrive after it was opened: the browser's
  // processes tell each other a moment later. They are taken up, never overwritten.
  const kept = properRecord(keeper.load());
  if (countAnswers(kept) > countAnswers(record)) record = kept;
  change({ rater: $("rater").value.trim() || record.rater, screen: "judge" });
});
$("load").addEventListener("change", (event) => {
  if (event.target.files.length) load(event.target.files[0]);
  event.target.value = "";
});
for (const verdict of VERDICTS) {
  // The second click of a double click would judge an item that nobody has looked at.
  $(verdict).addEventListener("click", (event) => event.detail < 2 && judge(verdict));
}
$("back").addEventListener("click", () => step(-1));
$("next").addEventListener("click", () => step(1));
$("stop").addEventListener("click", () => change({ screen: "end" }));
$("save").addEventListener("click", save);
$("resume").addEventListener("click", () => {
  const open = firstOpen(record);
  change({ screen: "judge", at: open < 0 ? 0 : open });
});
$("reset").addEventListener("click", () => {
  if (confirm("Begin anew? The answers on this page are forgotten; save them first.")) {
    record = properRecord(null);
    unsaved = false;
    change({});
  }
});

const KEYS = {
  h: () => judge("human"),
  1: () => judge("human"),
  m: () => judge("machine"),
  2: () => judge("machine"),
  arrowleft: () => step(-1),
  arrowright: () => step(1),
  p: () => $("play")?.click(),
};
document.addEventListener("keydown", (event) => {
  const other = event.ctrlKey || event.metaKey || event.altKey || event.repeat;
  const action = KEYS[event.key.toLowerCase()];
  if (other || record.screen !== "judge" || !action) return;
  event.preventDefault();
  action();
});

// The same page in another tab: its answers are the newer ones.
addEventListener("storage", (event) => {
  if (event.key !== PLACE || event.newValue === null) return;
  record = properRecord(keeper.load());
  show();
});
addEventListener("beforeunload", (event) => {
  if (unsaved && !keeper.works) event.preventDefault();
});

keeper.probe();
show();
