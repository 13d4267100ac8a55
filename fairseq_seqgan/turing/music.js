
/* Tunes: a piano roll, and a player that makes its sound itself. A tune is a list of piano keys,
   1 to 88, one for each step; 0 is silence; equal keys in a row are one held note. */

const STEP = 0.4; // seconds
const TAIL = 0.12; // seconds in which a note dies away
const LEAST_KEYS = 24; // that a roll shows, so that small intervals look small

function notesOf(keys) {
  const notes = [];
  keys.forEach((key, step) => {
    const last = notes[notes.length - 1];
    if (key > 0 && last && last.key === key && last.start + last.steps === step) last.steps += 1;
    else if (key > 0) notes.push({ key, start: step, steps: 1 });
  });
  return notes;
}

/* In hertz; key 49 is the A of 440. */
function frequencyOf(key) {
  return 440 * 2 ** ((key - 49) / 12);
}

function svg(name, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

function pianoRoll(keys) {
  const notes = notesOf(keys);
  const pitches = notes.length ? notes.map((note) => note.key) : [49];
  const low = Math.min(...pitches);
  const high = Math.max(...pitches);
  const rows = Math.max(high - low + 1, LEAST_KEYS) + 2;
  const top = high + Math.floor((rows - (high - low + 1)) / 2); // the key in the first row
  const roll = svg("svg", {
    viewBox: `0 0 ${keys.length * 4} ${rows * 4}`,
    preserveAspectRatio: "none",
    role: "img",
    "aria-label": `Piano roll of a tune of ${keys.length} steps`,
  });
  for (let step = 4; step < keys.length; step += 4) {
    roll.append(svg("line", { class: "beat", x1: step * 4, x2: step * 4, y1: 0, y2: rows * 4 }));
  }
  for (const note of notes) {
    roll.append(
      svg("rect", { class: "note", x: note.start * 4 + 0.15, y: (top - note.key) * 4, width: note.steps * 4 - 0.3, height: 4, rx: 0.6 }),
    );
  }
  return roll;
}

const player = {
  context: null, // made at the first click: browsers allow sound only then
  playing: null, // { gain, voices, roll, ended }

  get possible() {
    return "AudioContext" in window;
  },

  start(keys, roll, ended) {
    this.stop();
    this.context ??= new AudioContext();
    this.context.resume();
    const begin = this.context.currentTime + 0.1;
    const gain = this.context.createGain();
    gain.gain.value = 0.35;
    gain.connect(this.context.destination);
    const wave = this.context.createPeriodicWave([0, 0, 0, 0, 0], [0, 1, 0.4, 0.2, 0.08]);
    const voices = notesOf(keys).map((note) => this.voice(note, begin, wave, gain));
    const now = svg("line", { class: "now", x1: 0, x2: 0, y1: 0, y2: "100%" });
    roll.append(now);
    this.playing = { gain, voices, now, ended };
    this.follow(this.playing, begin, keys.length);
  },

  voice(note, begin, wave, output) {
    const from = begin + note.start * STEP;
    const until = from + note.steps * STEP;
    const oscillator = this.context.createOscillator();
    oscillator.setPeriodicWave(wave);
    oscillator.frequency.value = frequencyOf(note.key);
    const level = this.context.createGain();
    level.gain.setValueAtTime(0, from);
    level.gain.linearRampToValueAtTime(1, from + 0.015);
    level.gain.setTargetAtTime(0.35, from + 0.015, 0.35);
    level.gain.setTargetAtTime(0, until - TAIL / 2, TAIL / 4);
    oscillator.connect(level).connect(output);
    oscillator.start(from);
    oscillator.stop(until + TAIL);
    return oscillator;
  },

  /* Move the line that shows what is heard, until the end of the tune. */
  follow(playing, begin, steps) {
    if (this.playing !== playing) return;
    const step = (this.context.currentTime - begin) / STEP;
    if (step >= steps) {
      this.stop();
      return;
    }
    const x = Math.max(0, step * 4);
    playing.now.setAttribute("x1", x);
    playing.now.setAttribute("x2", x);
    requestAnimationFrame(() => this.follow(playing, begin, steps));
  },

  stop() {
    const playing = this.playing;
    if (playing === null) return;
    this.playing = null;
    playing.gain.gain.setTargetAtTime(0, this.context.currentTime, 0.02);
    for (const voice of playing.voices) voice.stop(this.context.currentTime + TAIL);
    playing.now.remove();
    playing.ended();
  },
};

/* A tune's roll with its button. */
function tune(keys) {
  const box = document.createElement("div");
  box.className = "tune";
  const roll = pianoRoll(keys);
  const button = document.createElement("button");
  button.type = "button";
  button.id = "play";
  button.setAttribute("aria-keyshortcuts", "p");
  const show = (symbol, label) => {
    const mark = document.createElement("span");
    mark.className = "symbol";
    mark.setAttribute("aria-hidden", "true");
    mark.textContent = symbol;
    button.replaceChildren(mark, label);
  };
  const idle = () => show("▶", "Play");
  if (player.possible) {
    idle();
    button.addEventListener("click", () => {
      if (player.playing !== null) player.stop();
      else {
        show("■", "Stop");
        player.start(keys, roll, idle);
      }
    });
  } else {
    button.disabled = true;
    button.textContent = "This browser cannot play tunes";
  }
  box.append(roll, button);
  return box;
}
