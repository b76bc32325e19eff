/**
 * RFC 3161 time-stamp tokens: the browser's side of `chopmark.ledger.timestamp`, of reading and of verifying.
 *
 * Everything about a token is checked but revocation, which is kept elsewhere, and what a policy promises.
 */

import { algorithmOf, digest as digestOf, HASHES } from "./algorithms.js";
import { equal } from "./bytes.js";
import { chain, CmsError, findSigner, mustBeSigned, readCertificate, readSigned } from "./cms.js";
import {
  BOOLEAN, boolean, GENERALIZED_TIME, generalizedTime, INTEGER, integer, Malformed, OCTET_STRING, OID, oid, read, Reader,
  SEQUENCE,
} from "./der.js";
import { Invalid } from "./errors.js";
import { CONTENT_COMMITMENT, DIGITAL_SIGNATURE, EXTENDED_KEY_USAGE, TIME_STAMPING } from "./x509.js";

const MAX_TOKEN = 64 * 1024;
const AHEAD = 300n * 1_000_000n;
const LONGEST_ACCURACY = 366n * 24n * 3600n;
const TST_INFO = "1.2.840.113549.1.9.16.1.4";

const malformed = () => new Invalid("ledger.timestamp_malformed");

const CODES = new Map([
  ["malformed", "ledger.timestamp_malformed"],
  ["algorithm", "ledger.timestamp_algorithm"],
  ["digest_wrong", "ledger.timestamp_signature_wrong"],
  ["signature_wrong", "ledger.timestamp_signature_wrong"],
  ["certificate_missing", "ledger.timestamp_certificate_missing"],
  ["outside_validity", "ledger.timestamp_outside_validity"],
  ["authority_unknown", "ledger.timestamp_authority_unknown"],
]);

/** RFC 3339 in UTC of a moment in microseconds; what is below a second is cut. */
export const secondsText = (moment) => new Date(Math.floor(Number(moment / 1000n) / 1000) * 1000).toISOString().replace(".000Z", "Z");

/** A moment in microseconds as Python writes it. */
export function isoText(moment) {
  const micros = ((moment % 1_000_000n) + 1_000_000n) % 1_000_000n;
  const whole = new Date(Number((moment - micros) / 1000n)).toISOString().slice(0, 19);
  return `${whole}${micros === 0n ? "" : `.${String(micros).padStart(6, "0")}`}+00:00`;
}

// ---- reading -------------------------------------------------------------------------------------------------------

/** Take a token apart; nothing is checked yet. @throws {Invalid} `ledger.timestamp_malformed` */
export function parseToken(data) {
  if (data.length > MAX_TOKEN) throw malformed();
  try {
    const cms = readSigned(data);
    if (cms.version !== 3n || cms.kind !== TST_INFO || cms.content === null) throw new Malformed("another kind");
    return { info: readInfo(cms.content), cms };
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    throw malformed();
  }
}

function readInfo(data) {
  const parts = new Reader(read(data).content);
  if (integer(parts.take(INTEGER)) !== 1n) throw new Malformed("another version");
  const policy = oid(parts.take(OID));
  const imprinted = new Reader(parts.take(SEQUENCE).content);
  const [algorithm, imprint] = [algorithmOf(imprinted.take(SEQUENCE)), imprinted.take(OCTET_STRING).content];
  imprinted.end();
  const serial = integer(parts.take(INTEGER));
  const time = generalizedTime(parts.take(GENERALIZED_TIME));
  const accuracy = parts.maybe(SEQUENCE);
  const ordering = parts.maybe(BOOLEAN);
  const nonce = parts.maybe(INTEGER);
  parts.maybe(0xa0);
  const extensions = parts.maybe(0xa1);
  parts.end();
  if (extensions !== null) mustNotBeCritical(extensions);
  const info = { policy, algorithm, imprint, serial, time, accuracy: accuracy && readAccuracy(accuracy) };
  if (nonce !== null) integer(nonce);
  if (ordering !== null) boolean(ordering);
  return info;
}

/** In microseconds. @returns {bigint} */
function readAccuracy(element) {
  const parts = new Reader(element.content);
  const [seconds, millis, micros] = [parts.maybe(INTEGER), parts.maybe(0x80), parts.maybe(0x81)].map((each) =>
    each === null ? 0n : integer(each),
  );
  parts.end();
  const small = (value) => 0n <= value && value <= 999n;
  if (seconds < 0n || seconds > LONGEST_ACCURACY || !small(millis) || !small(micros)) throw new Malformed("out of range");
  return seconds * 1_000_000n + millis * 1000n + micros;
}

function mustNotBeCritical(extensions) {
  for (const each of new Reader(extensions.content).rest()) {
    const parts = new Reader(each.content);
    parts.take(OID);
    const critical = parts.maybe(BOOLEAN);
    parts.take(OCTET_STRING);
    parts.end();
    if (critical !== null && boolean(critical)) throw new Malformed("a critical extension that is not understood");
  }
}

// ---- verification --------------------------------------------------------------------------------------------------

/**
 * Whether a trusted authority says that these bytes existed, and when.
 * @param {Uint8Array} token
 * @param {Uint8Array} data
 * @param {{name: string, own: boolean, certificates: Uint8Array[]}[]} authorities
 * @param {bigint} at the time of the check, in microseconds
 * @throws {Invalid} as `verify_token` in Python
 */
export async function verifyToken(token, data, authorities, at, suite) {
  const { info } = parseToken(token);
  if (!HASHES.has(info.algorithm)) throw new Invalid("ledger.timestamp_algorithm", { algorithm: info.algorithm });
  if (!equal(await digestOf(info.algorithm, data, suite), info.imprint)) throw new Invalid("ledger.timestamp_other_data");
  return verifyStatement(token, authorities, at, suite);
}

/** The same without the data, for who has compared the imprint already. */
export async function verifyStatement(token, authorities, at, suite) {
  const { info, cms } = parseToken(token);
  try {
    const { authority, signer } = await behind(info, cms, authorities, suite);
    if (info.time > at + AHEAD) throw new Invalid("ledger.timestamp_ahead", { time: isoText(info.time) });
    return { ...info, authority: authority.name, own: authority.own, signer: signer.name, signerUntil: signer.notAfter };
  } catch (error) {
    if (!(error instanceof CmsError)) throw error;
    throw new Invalid(CODES.get(error.kind), error.facts);
  }
}

/** Who signed a token, and with which certificate. */
async function behind(info, cms, authorities, suite) {
  const trusted = authorities.flatMap((anchor) =>
    anchor.certificates.map((each) => ({ certificate: readCertificate(each), anchor })),
  );
  const brought = cms.certificates.map(readCertificate);
  const signer = await findSigner(cms, [...brought, ...trusted.map(({ certificate }) => certificate)], suite);
  await mustBeSigned(cms, TST_INFO, (algorithm) => digestOf(algorithm, cms.content, suite), signer, suite);
  mustBeForStamping(signer);
  const { anchor } = await chain(signer, brought, trusted, info.time, [TIME_STAMPING], suite);
  return { authority: anchor, signer };
}

/** RFC 3161 2.3: extendedKeyUsage is critical and time stamping alone; keyUsage, if there, allows signatures. */
function mustBeForStamping(certificate) {
  const { purposes, usage } = certificate;
  const alone = purposes !== null && purposes.length === 1 && purposes[0] === TIME_STAMPING;
  const signing = usage === null || usage.has(DIGITAL_SIGNATURE) || usage.has(CONTENT_COMMITMENT);
  if (!alone || !certificate.isCritical(EXTENDED_KEY_USAGE) || !signing || !certificate.isUnderstood()) {
    throw new Invalid("ledger.timestamp_certificate_unfit", { subject: certificate.name });
  }
}
