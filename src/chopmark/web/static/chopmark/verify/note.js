/**
 * Signed notes (C2SP signed-note), parsed strictly: a note that does not print back is not accepted.
 *
 * Reads and prints the form; which signatures are true is found in `checkpoint.js`.
 */

import { concat, equal, fromBase64, fromUtf8, toBase64, toUtf8 } from "./bytes.js";
import { Invalid } from "./errors.js";
import { isKeyName } from "./keys.js";

const MAX_SIGNATURES = 100;
const MAX_SIZE = 256 * 1024;
const KEY_ID_SIZE = 4;
const DASH = "\u2014";

const CONTROL = /[\0-\x09\x0b-\x1f]/;

const malformed = () => new Invalid("ledger.note_malformed");
const tooLarge = () => new Invalid("ledger.note_too_large", { limit: MAX_SIZE, signatures: MAX_SIGNATURES });

export class Note {
  /** @param {string} text @param {{name: string, keyId: Uint8Array, value: Uint8Array}[]} signatures */
  constructor(text, signatures) {
    this.text = text;
    this.signatures = signatures;
  }

  /** @param {Uint8Array} data @throws {Invalid} `ledger.note_malformed`, `ledger.note_too_large` */
  static parse(data) {
    if (data.length > MAX_SIZE) throw tooLarge();
    const whole = fromUtf8(data);
    if (whole === null) throw malformed();
    const blank = whole.lastIndexOf("\n\n");
    const lines = whole.slice(blank + 2);
    if (blank < 0 || !lines.endsWith("\n")) throw malformed();
    const note = new Note(whole.slice(0, blank + 1), lines.slice(0, -1).split("\n").map(readLine));
    if (CONTROL.test(note.text)) throw malformed();
    if (note.signatures.length > MAX_SIGNATURES) throw tooLarge();
    if (!equal(note.encode(), data)) throw malformed();
    return note;
  }

  encode() {
    const lines = this.signatures.map(
      ({ name, keyId, value }) => `${DASH} ${name} ${toBase64(concat(keyId, value))}\n`,
    );
    return toUtf8(`${this.text}\n${lines.join("")}`);
  }
}

function readLine(line) {
  const [dash, name, ...rest] = line.split(" ");
  const bytes = fromBase64(rest.join(" "));
  if (dash !== DASH || !isKeyName(name ?? "") || bytes === null || bytes.length <= KEY_ID_SIZE) throw malformed();
  return { name, keyId: bytes.slice(0, KEY_ID_SIZE), value: bytes.slice(KEY_ID_SIZE) };
}
