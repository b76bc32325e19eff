/**
 * The container of a bundle, read strictly: the browser's side of `chopmark.evidence.bundle.container`.
 *
 * A ZIP file of which every byte that is not content is prescribed: what the directory says is printed again and
 * compared. Nothing is decompressed. Only slices of the file are ever held, so its size does not matter.
 */

import { concat, equal, toUtf8 } from "./bytes.js";
import { Invalid } from "./errors.js";

export const MIMETYPE_NAME = "mimetype";
export const META_INF = "META-INF/";
export const MAX_ENTRIES = 10_000;

const MIMETYPE = toUtf8("application/vnd.etsi.asic-e+zip");
const MAX_NAME = 200;
const MAX_DEPTH = 6;
const NAME = /^[A-Za-z0-9._-]+(?:\/[A-Za-z0-9._-]+)*$/;
const FULL = 0xffffffff; // says that the number stands in the Zip64 field
const DATE = 0x0021; // 1980-01-01 in MS-DOS form; the time is 0
const [LOCAL, CENTRAL, END, END64, LOCATOR] = [30, 46, 22, 56, 20];
const MAX_DIRECTORY = MAX_ENTRIES * (CENTRAL + MAX_NAME + 28);
const WINDOW = 1 << 16;

const malformed = (reason) => new Invalid("bundle.zip_malformed", { reason });
const tooMany = () => new Invalid("bundle.too_large", { what: "entries", limit: MAX_ENTRIES });

/** Little-endian fields one behind the other: `[[width, value], ...]`. */
function pack(...fields) {
  const bytes = new Uint8Array(fields.reduce((size, [width]) => size + width, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const [width, value] of fields) {
    if (width === 2) view.setUint16(at, value, true);
    else if (width === 4) view.setUint32(at, value, true);
    else view.setBigUint64(at, BigInt(value), true);
    at += width;
  }
  return bytes;
}

class Entry {
  constructor({ name, size, crc, offset }) {
    this.name = name;
    this.size = size;
    this.crc = crc;
    this.offset = offset;
  }

  get data() {
    return this.offset + LOCAL + this.name.length + (this.size >= FULL ? 20 : 0);
  }

  get end() {
    return this.data + this.size;
  }

  get version() {
    return this.size >= FULL || this.offset >= FULL ? 45 : 20;
  }

  /** The header in front of the content (APPNOTE 4.3.7). */
  local() {
    const extra = this.size >= FULL ? pack([2, 1], [2, 16], [8, this.size], [8, this.size]) : new Uint8Array(0);
    const size = Math.min(this.size, FULL);
    const fixed = pack(
      [4, 0x04034b50], [2, this.version], [2, 0], [2, 0], [2, 0], [2, DATE],
      [4, this.crc], [4, size], [4, size], [2, this.name.length], [2, extra.length],
    );
    return concat(fixed, toUtf8(this.name), extra);
  }

  /** The header in the central directory (APPNOTE 4.3.12). */
  central() {
    const numbers = [...(this.size >= FULL ? [this.size, this.size] : []), ...(this.offset >= FULL ? [this.offset] : [])];
    const wide = numbers.map((number) => [8, number]);
    const extra = numbers.length > 0 ? pack([2, 1], [2, 8 * numbers.length], ...wide) : new Uint8Array(0);
    const [size, offset, { version }] = [Math.min(this.size, FULL), Math.min(this.offset, FULL), this];
    const fixed = pack(
      [4, 0x02014b50], [2, version], [2, version], [2, 0], [2, 0], [2, 0], [2, DATE],
      [4, this.crc], [4, size], [4, size], [2, this.name.length], [2, extra.length],
      [2, 0], [2, 0], [2, 0], [4, 0], [4, offset],
    );
    return concat(fixed, toUtf8(this.name), extra);
  }
}

/** `mimetype` first, META-INF last, the others between; within these by bytes. */
function byPlace(left, right) {
  const key = (name) => `${name === MIMETYPE_NAME ? 0 : 1}${name.startsWith(META_INF) ? 1 : 0}${name}`;
  const [first, second] = [key(left), key(right)];
  return first < second ? -1 : first > second ? 1 : 0;
}

/** @throws {Invalid} `bundle.name_unsafe` */
export function mustBeSafe(name) {
  const parts = name.split("/");
  if (!NAME.test(name) || name.length > MAX_NAME || parts.length > MAX_DEPTH || parts.some((part) => part.endsWith("."))) {
    throw new Invalid("bundle.name_unsafe", { name: name.slice(0, MAX_NAME) });
  }
}

/** No name twice, in whatever case, and none another one's folder. @throws {Invalid} `bundle.name_twice` */
export function mustBeDistinct(names) {
  const [files, folders] = [new Set(), new Set()];
  for (const name of names) {
    const folded = name.toLowerCase();
    const parts = folded.split("/");
    const above = parts.slice(1).map((_, count) => parts.slice(0, count + 1).join("/"));
    if (files.has(folded) || folders.has(folded) || above.some((each) => files.has(each))) {
      throw new Invalid("bundle.name_twice", { name });
    }
    files.add(folded);
    for (const each of above) folders.add(each);
  }
}

/** The central directory of these entries and what stands behind it, to the end of the file. */
function directory(entries) {
  const listed = concat(...entries.map((each) => each.central()));
  const [count, start] = [entries.length, entries[entries.length - 1].end];
  const extended =
    start < FULL
      ? new Uint8Array(0)
      : pack(
          [4, 0x06064b50], [8, 44], [2, 45], [2, 45], [4, 0], [4, 0], [8, count], [8, count], [8, listed.length], [8, start],
          [4, 0x07064b50], [4, 0], [8, start + listed.length], [4, 1],
        );
  const end = pack(
    [4, 0x06054b50], [2, 0], [2, 0], [2, count], [2, count], [4, listed.length], [4, Math.min(start, FULL)], [2, 0],
  );
  return concat(listed, extended, end);
}

/** Reads slices of a file; small ones that lie close together at once. */
class Source {
  /** @param {Blob} blob */
  constructor(blob) {
    this.blob = blob;
    this.start = 0;
    this.held = new Uint8Array(0);
  }

  /** @returns {Promise<Uint8Array>} shorter where the file ends */
  async read(from, length) {
    if (from < this.start || from + length > this.start + this.held.length) {
      this.held = await bytesOf(this.blob.slice(from, from + Math.max(length, WINDOW)));
      this.start = from;
    }
    return this.held.subarray(from - this.start, from - this.start + length);
  }
}

export const bytesOf = async (blob) => new Uint8Array(await blob.arrayBuffer());

/** A container that was read strictly. */
export class Container {
  constructor(blob, entries) {
    this.blob = blob;
    this.entries = new Map(entries.map((each) => [each.name, each]));
  }

  /**
   * @param {Blob} blob
   * @throws {Invalid} `bundle.zip_malformed`, `bundle.name_unsafe`, `bundle.name_twice`, `bundle.too_large`,
   *   `bundle.mimetype_wrong`
   */
  static async open(blob) {
    const source = new Source(blob);
    const entries = await readDirectory(source, blob.size);
    const names = entries.map(({ name }) => name);
    mustBeDistinct(names);
    const sorted = [...names].sort(byPlace);
    if (names.some((name, at) => name !== sorted[at])) throw malformed("order");
    for (const each of entries) {
      const header = each.local();
      if (!equal(await source.read(each.offset, header.length), header)) throw malformed("local");
    }
    const wrong = new Invalid("bundle.mimetype_wrong");
    if (entries[0].name !== MIMETYPE_NAME || entries[0].size !== MIMETYPE.length) throw wrong;
    const container = new Container(blob, entries);
    if (!equal(await container.read(MIMETYPE_NAME, MIMETYPE.length), MIMETYPE)) throw wrong;
    return container;
  }

  get names() {
    return [...this.entries.keys()];
  }

  has(name) {
    return this.entries.has(name);
  }

  size(name) {
    return this.entries.get(name).size;
  }

  /** A file's content as a part of the whole; nothing is read yet. */
  content(name) {
    const { data, end } = this.entries.get(name);
    return this.blob.slice(data, end);
  }

  /** A file's content at once, whatever its CRC-32 is. */
  bytes(name) {
    return bytesOf(this.content(name));
  }

  /** A file's content at once. @throws {Invalid} `bundle.too_large`, `bundle.zip_malformed` */
  async read(name, limit) {
    if (this.size(name) > limit) throw new Invalid("bundle.too_large", { what: name, limit });
    const bytes = await this.bytes(name);
    if (crc32(bytes) !== this.entries.get(name).crc) throw malformed("crc");
    return bytes;
  }
}

async function readDirectory(source, length) {
  const { start, size, count } = await readEnd(source, length);
  if (count > MAX_ENTRIES || size > MAX_DIRECTORY) throw tooMany();
  if (count === 0 || start + size > length) throw malformed("directory");
  const near = length - start <= size + END64 + LOCATOR + END;
  const tail = near ? await source.read(start, length - start) : new Uint8Array(0);
  const entries = readEntries(tail.subarray(0, size), count, start);
  if (!equal(directory(entries), tail)) throw malformed("directory");
  return entries;
}

/** Where the directory starts, its size and the number of its entries, as the file's end claims. */
async function readEnd(source, length) {
  if (length < END) throw malformed("end");
  const end = viewOf(await source.read(length - END, END));
  if (end.getUint32(0, true) !== 0x06054b50) throw malformed("end");
  const [count, size] = [end.getUint16(10, true), end.getUint32(12, true)];
  let start = end.getUint32(16, true);
  if (start === FULL) {
    if (length < END + LOCATOR + END64) throw malformed("end");
    const extended = viewOf(await source.read(length - END - LOCATOR - END64, END64));
    start = Number(extended.getBigUint64(48, true));
  }
  return { start, size, count };
}

/** What a central directory says; offsets are not read but follow, since nothing stands between two entries. */
function readEntries(listed, count, start) {
  const entries = [];
  let [here, offset] = [0, 0];
  for (let number = 0; number < count; number += 1) {
    if (here + CENTRAL > listed.length) throw malformed("directory");
    const fields = viewOf(listed.subarray(here, here + CENTRAL));
    if (fields.getUint32(0, true) !== 0x02014b50) throw malformed("directory");
    if (fields.getUint16(10, true) !== 0) throw malformed("method");
    const [crc, nameLength, extraLength] = [fields.getUint32(16, true), fields.getUint16(28, true), fields.getUint16(30, true)];
    let size = fields.getUint32(24, true);
    here += CENTRAL;
    const name = latin(listed.subarray(here, here + nameLength));
    mustBeSafe(name);
    const extra = listed.subarray(here + nameLength, here + nameLength + extraLength);
    here += nameLength + extraLength;
    if (size === FULL) {
      if (extra.length < 20) throw malformed("directory");
      size = Number(viewOf(extra).getBigUint64(4, true));
    }
    entries.push(new Entry({ name, size, crc, offset }));
    offset = entries[number].end;
    if (offset > start) throw malformed("directory");
  }
  return entries;
}

const viewOf = (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
const latin = (bytes) => Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");

// ---- CRC-32 --------------------------------------------------------------------------------------------------------

/** Eight tables of 256: eight bytes a step (the reversed polynomial of ISO-HDLC). */
const TABLES = (() => {
  const tables = Array.from({ length: 8 }, () => new Uint32Array(256));
  for (let byte = 0; byte < 256; byte += 1) {
    let value = byte;
    for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
    tables[0][byte] = value;
  }
  for (let byte = 0; byte < 256; byte += 1) {
    for (let table = 1; table < 8; table += 1) {
      const value = tables[table - 1][byte];
      tables[table][byte] = (value >>> 8) ^ tables[0][value & 0xff];
    }
  }
  return tables;
})();

/** CRC-32 of bytes behind others of which it is known. */
export function crc32(bytes, before = 0) {
  const [t0, t1, t2, t3, t4, t5, t6, t7] = TABLES;
  let crc = ~before;
  let at = 0;
  for (const last = bytes.length - 7; at < last; at += 8) {
    crc ^= bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
    crc =
      t7[crc & 0xff] ^ t6[(crc >>> 8) & 0xff] ^ t5[(crc >>> 16) & 0xff] ^ t4[crc >>> 24] ^
      t3[bytes[at + 4]] ^ t2[bytes[at + 5]] ^ t1[bytes[at + 6]] ^ t0[bytes[at + 7]];
  }
  for (; at < bytes.length; at += 1) crc = (crc >>> 8) ^ t0[(crc ^ bytes[at]) & 0xff];
  return ~crc >>> 0;
}
