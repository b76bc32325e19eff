/**
 * ASiCManifest (ETSI EN 319 162-1 annex A.4), read in the one form in which it is written: the browser's side of
 * `chopmark.evidence.bundle.asic`. What does not print back is refused; no XML parser is asked.
 */

import { fromBase64, toBase64 } from "./bytes.js";
import { MAX_ENTRIES, META_INF, mustBeSafe } from "./container.js";
import { Invalid } from "./errors.js";

const PROOFS = new Map([
  [".p7s", "application/x-pkcs7-signature"],
  [".tst", "application/vnd.etsi.timestamp-token"],
  [".ers", "application/vnd.etsi.evidencerecord"],
]);
const MAX_MANIFEST = 8 << 20;
export const MEDIA_TYPE = /^[a-z0-9][a-z0-9.+_-]{0,62}\/[a-z0-9][a-z0-9.+_-]{0,62}$/;

const HEAD =
  '<?xml version="1.0" encoding="UTF-8"?>\n' +
  '<asic:ASiCManifest xmlns:asic="http://uri.etsi.org/02918/v1.2.1#"' +
  ' xmlns:ds="http://www.w3.org/2000/09/xmldsig#">\n';
const FOOT = "</asic:ASiCManifest>\n";
const SIGNATURE = /<asic:SigReference URI="([^"\n]*)" MimeType="([^"\n]*)"\/>\n/;
const REFERENCE =
  /<asic:DataObjectReference URI="([^"\n]*)" MimeType="([^"\n]*)">\n<ds:DigestMethod Algorithm="http:\/\/www\.w3\.org\/2001\/04\/xmlenc#sha256"\/>\n<ds:DigestValue>([^<\n]*)<\/ds:DigestValue>\n<\/asic:DataObjectReference>\n/g;

const malformed = () => new Invalid("bundle.asic_manifest_malformed");

/**
 * @param {Uint8Array} data
 * @returns {{sigReference: string, references: {uri: string, mediaType: string, sha256: Uint8Array}[]}}
 * @throws {Invalid} `bundle.asic_manifest_malformed`
 */
export function parseAsicManifest(data) {
  if (data.length > MAX_MANIFEST || data.some((byte) => byte > 0x7f)) throw malformed();
  const text = new TextDecoder().decode(data);
  if (!text.startsWith(HEAD)) throw malformed();
  const signature = SIGNATURE.exec(text);
  if (signature === null) throw malformed();
  const references = Array.from(text.matchAll(REFERENCE), ([, uri, mediaType, digest]) => {
    const sha256 = fromBase64(digest);
    if (sha256 === null || sha256.length !== 32 || !MEDIA_TYPE.test(mediaType)) throw malformed();
    return { uri, mediaType, sha256 };
  });
  const [, sigReference] = signature;
  const names = references.map(({ uri }) => uri);
  if (![sigReference, ...names].every(isSafe) || new Set(names).size !== names.length) throw malformed();
  if (!sigReference.startsWith(META_INF) || !PROOFS.has(sigReference.slice(-4))) throw malformed();
  if (names.length < 1 || names.length > MAX_ENTRIES || print(sigReference, references) !== text) throw malformed();
  return { sigReference, references };
}

function isSafe(name) {
  try {
    mustBeSafe(name);
  } catch (error) {
    if (!(error instanceof Invalid)) throw error;
    return false;
  }
  return true;
}

function print(sigReference, references) {
  const lines = references.map(
    ({ uri, mediaType, sha256 }) =>
      `<asic:DataObjectReference URI="${uri}" MimeType="${mediaType}">\n` +
      '<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/>\n' +
      `<ds:DigestValue>${toBase64(sha256)}</ds:DigestValue>\n` +
      "</asic:DataObjectReference>\n",
  );
  const type = PROOFS.get(sigReference.slice(-4));
  return `${HEAD}<asic:SigReference URI="${sigReference}" MimeType="${type}"/>\n${lines.join("")}${FOOT}`;
}
