
/* Which characters this browser cannot show. For a character that no font has, a browser draws a box,
   a box with the character's code in it, or nothing; so each character is drawn and compared. */

const GLYPH_SIZE = 32; // pixels
const UNASSIGNED = ["\ufdd0", "\ufde9", "\u0378"]; // no font has a glyph for them

/* Return a function that draws a character in *font* and gives the set of the pixels with ink. */
function inkIn(font) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = GLYPH_SIZE * 1.5;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.font = `${GLYPH_SIZE}px ${font}`;
  context.textBaseline = "middle";
  return (character) => {
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.fillText(character, 4, canvas.height / 2);
    const { data: bytes } = context.getImageData(0, 0, canvas.width, canvas.height);
    const ink = new Set();
    for (let i = 3; i < bytes.length; i += 4) if (bytes[i] > 127) ink.add(i); // opaque
    return ink;
  };
}

/* Return the different characters of *text* that *font*, and every font after it, lacks. */
function missingCharacters(text, font) {
  const inkOf = inkIn(font);
  const boxes = UNASSIGNED.map(inkOf);
  const frame = [...boxes[0]].filter((pixel) => boxes.every((box) => box.has(pixel)));
  const plain = boxes.every((box) => box.size === frame.length); // no codes in the boxes
  return [...new Set(text.replace(/\s/gu, ""))].filter((character) => {
    const ink = inkOf(character);
    return frame.every((pixel) => ink.has(pixel)) && (!plain || ink.size === frame.length);
  });
}
