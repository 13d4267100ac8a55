
"use strict";

/* The record of one person's judgement: what was answered, and where the person is. It is kept in
   localStorage where the browser allows that, and is saved to a file in any case. */

const data = JSON.parse(document.getElementById("data").textContent);
const total = data.items.length;
const known = new Set(data.items.map((item) => item.id));

const FORMAT = "turing-test answers";
const PLACE = `turing-test:${data.test}`; // in localStorage: every page has its own
const PROBE = "turing-test:probe";
const VERDICTS = ["human", "machine"];
const SCREENS = ["start", "judge", "end"];

function newSession() {
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function countAnswers(record) {
  return Object.keys(record.answers).length;
}

/* The first item without an answer; -1 if there is none. */
function firstOpen(record) {
  return data.items.findIndex((item) => !(item.id in record.answers));
}

/* Return a valid record from what was stored or read; invalid parts are left out. */
function properRecord(raw) {
  const found = raw !== null && typeof raw === "object" ? raw : {};
  const record = {
    session: /^[0-9a-f]{16}$/.test(found.session) ? found.session : newSession(),
    rater: typeof found.rater === "string" ? found.rater.slice(0, 80) : "",
    answers: {},
    screen: SCREENS.includes(found.screen) ? found.screen : "start",
    at: 0,
  };
  for (const [id, verdict] of Object.entries(found.answers ?? {})) {
    if (known.has(id) && VERDICTS.includes(verdict)) record.answers[id] = verdict;
  }
  const inside = Number.isInteger(found.at) && found.at >= 0 && found.at < total;
  record.at = inside ? found.at : Math.max(0, firstOpen(record));
  return record;
}

/* localStorage may be switched off, full, or refuse pages that were opened from a file. */
const keeper = {
  works: true,

  /* Find out whether anything is kept here, without touching the record: an answer given a moment
     ago may still be on its way from another view of this page, and must not be overwritten. */
  probe() {
    try {
      localStorage.setItem(PROBE, "");
      localStorage.removeItem(PROBE);
    } catch {
      this.works = false;
    }
  },

  load() {
    try {
      return JSON.parse(localStorage.getItem(PLACE));
    } catch (error) {
      if (!(error instanceof SyntaxError)) this.works = false;
      return null;
    }
  },

  store(record) {
    try {
      localStorage.setItem(PLACE, JSON.stringify(record));
      this.works = true;
    } catch {
      this.works = false;
    }
  },
};

function answersFile(record) {
  const saved = {
    format: FORMAT,
    version: 1,
    test: data.test,
    kind: data.kind,
    session: record.session,
    rater: record.rater,
    items: total,
    answers: record.answers,
  };
  return `${JSON.stringify(saved, null, 1)}\n`;
}

function answersFileName(record) {
  const rater = record.rater.replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-+|-+$/g, "");
  return `answers-${rater || record.session.slice(0, 6)}-${data.test.slice(0, 6)}.json`;
}

/* The record in a file that was saved before; throws an Error that says what is wrong. */
function recordFromFile(text) {
  let found = null;
  try {
    found = JSON.parse(text);
  } catch {
    throw new Error("This is not a file of saved answers.");
  }
  if (found === null || found.format !== FORMAT) throw new Error("This is not a file of saved answers.");
  if (found.test !== data.test) throw new Error("These answers belong to another page.");
  return properRecord({ ...found, screen: "judge", at: undefined });
}
