/**
 * SM3 (GB/T 32905-2016) of bytes that come in pieces.
 */

const START = Uint32Array.of(
  0x7380166f, 0x4914b2b9, 0x172442d7, 0xda8a0600, 0xa96f30bc, 0x163138aa, 0xe38dee4d, 0xb0fb0e4e,
);

const left = (word, by) => (word << by) | (word >>> (32 - by));
const mixed = (word) => word ^ left(word, 9) ^ left(word, 17);

/** Section 4.2, each turned left by its round. */
const ROUND = Int32Array.from({ length: 64 }, (_, at) => {
  const constant = at < 16 ? 0x79cc4519 : 0x7a879d8a;
  return at % 32 === 0 ? constant : left(constant, at % 32);
});

export class Sm3 {
  constructor() {
    this.state = START.slice();
    this.schedule = new Int32Array(68);
    this.size = 0;
    this.waiting = new Uint8Array(64);
  }

  /** @param {Uint8Array} bytes */
  update(bytes) {
    let at = 0;
    const held = this.size % 64;
    this.size += bytes.length;
    if (held > 0) {
      at = Math.min(64 - held, bytes.length);
      this.waiting.set(bytes.subarray(0, at), held);
      if (held + at < 64) return;
      compress(this.state, this.schedule, new DataView(this.waiting.buffer), 0);
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (; at + 64 <= bytes.length; at += 64) compress(this.state, this.schedule, view, at);
    this.waiting.set(bytes.subarray(at));
  }

  /** @returns {Uint8Array} 32 bytes; nothing may be added after */
  digest() {
    const { size } = this;
    const padding = new Uint8Array(((119 - (size % 64)) % 64) + 9);
    padding[0] = 0x80;
    const length = new DataView(padding.buffer);
    length.setUint32(padding.length - 8, Math.floor(size / 2 ** 29));
    length.setUint32(padding.length - 4, (size * 8) % 2 ** 32);
    this.update(padding);
    const digest = new Uint8Array(32);
    const out = new DataView(digest.buffer);
    this.state.forEach((word, index) => out.setUint32(4 * index, word));
    return digest;
  }
}

function compress(state, w, view, block) {
  for (let at = 0; at < 16; at += 1) w[at] = view.getInt32(block + 4 * at);
  for (let at = 16; at < 68; at += 1) {
    const word = w[at - 16] ^ w[at - 9] ^ left(w[at - 3], 15);
    w[at] = word ^ left(word, 15) ^ left(word, 23) ^ left(w[at - 13], 7) ^ w[at - 6];
  }
  let [a, b, c, d, e, f, g, h] = state;
  for (let at = 0; at < 64; at += 1) {
    const turned = left(a, 12);
    const first = left((turned + e + ROUND[at]) | 0, 7);
    const choice = at < 16 ? a ^ b ^ c : (a & b) | (a & c) | (b & c);
    const other = at < 16 ? e ^ f ^ g : (e & f) | (~e & g);
    const one = (choice + d + (first ^ turned) + (w[at] ^ w[at + 4])) | 0;
    const two = (other + h + first + w[at]) | 0;
    d = c;
    c = left(b, 9);
    b = a;
    a = one;
    h = g;
    g = left(f, 19);
    f = e;
    e = mixed(two);
  }
  [a, b, c, d, e, f, g, h].forEach((word, at) => {
    state[at] ^= word;
  });
}
