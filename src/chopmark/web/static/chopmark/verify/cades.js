/**
 * What a signature in a bundle proves, and what a time-stamp token does: the browser's side of
 * `chopmark.evidence.cades`, with the same findings in the same order.
 *
 * Nothing that no key covers is left unread: hints must agree, attributes that nobody signs must be time-stamps, and
 * every certificate and every list of revoked ones must itself be signed by a certificate at hand.
 */

import { algorithmOf, digest as digestOf, HASHES, issued, PSS, SHA256 } from "./algorithms.js";
import { equal, toHex } from "./bytes.js";
import { chain, CmsError, DATA, findSigner, mustBeSigned, readCertificate, readSigned } from "./cms.js";
import { Malformed, OID, oid, Reader, SEQUENCE } from "./der.js";
import { Invalid } from "./errors.js";
import { parseToken, secondsText, verifyStatement } from "./token.js";
import { FAILED, INDETERMINATE, PASSED } from "./verify.js";
import {
  ANY_PURPOSE, CONTENT_COMMITMENT, CRL_SIGN, DIGITAL_SIGNATURE, DOCUMENT_SIGNING, EMAIL_PROTECTION, namedIn, RevocationList,
} from "./x509.js";

const MAX_SIGNATURE = 1024 * 1024;
const MAX_STAMPS = 8;
const SIGNATURE_TIME_STAMP = "1.2.840.113549.1.9.16.2.14";
const PURPOSES = [DOCUMENT_SIGNING, EMAIL_PROTECTION];

/** Lists that say less than all: a delta, or one of a part. */
const PARTIAL = ["2.5.29.27", "2.5.29.28"];

export const passed = (code, facts = {}) => ({ code, verdict: PASSED, facts });
export const failed = (code, facts = {}) => ({ code, verdict: FAILED, facts });
export const undecided = (code, facts = {}) => ({ code, verdict: INDETERMINATE, facts });

/** Whether it is one of the errors by which a reader says that bytes are not what they should be. */
const isRefusal = (error) => error instanceof Invalid || error instanceof CmsError || error instanceof Malformed;

// ---- tokens --------------------------------------------------------------------------------------------------------

/**
 * Whether a trusted authority says that these bytes existed, and when.
 * @param {Uint8Array} token
 * @param {Uint8Array} data what it shall be over
 * @param {{name: string, own: boolean, certificates: Uint8Array[]}[]|null} stampers null when no trust was given
 * @param {{certificates: Uint8Array[], revocations: Uint8Array[]}} material what the bundle brings; never trusted
 * @param {bigint} at in microseconds
 * @param {boolean} hashed whether `data` is the SHA-256 of what it shall be over; then no other can be compared
 * @returns {Promise<{findings: object[], time: bigint|null, independent: boolean}>}
 */
export async function checkToken(token, data, stampers, material, at, suite, hashed = false) {
  const only = (...findings) => ({ findings, time: null, independent: false });
  // 1 The token is one, and all in it that its key does not cover agrees with the rest.
  let parsed, brought;
  try {
    parsed = parseToken(token);
    mustBeTight(parsed.cms, false);
    brought = parsed.cms.certificates.map(readCertificate);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return only(failed("ledger.timestamp_malformed"));
  }
  // 2 It is over these bytes.
  const { info } = parsed;
  const known = hashed ? info.algorithm === SHA256 : HASHES.has(info.algorithm);
  if (!known) return only(undecided("ledger.timestamp_algorithm", { algorithm: info.algorithm }));
  const imprint = hashed ? data : await digestOf(info.algorithm, data, suite);
  if (!equal(imprint, info.imprint)) return only(failed("ledger.timestamp_other_data"));
  // 3 The signature is right, its certificate is for stamping, and a chain leads to a trusted authority.
  const trusted = trustedStampers(stampers);
  let stamp;
  try {
    stamp = await verifyStatement(token, stampers ?? [], at, suite);
  } catch (error) {
    if (!(error instanceof Invalid)) throw error;
    const trouble = await stampTrouble(error, parsed, brought, stampers, suite);
    if (trouble.verdict === FAILED) return only(trouble);
    return only(trouble, ...(await stray(parsed.cms, brought, trusted, material, [], suite)));
  }
  // 4 Nothing else in it was altered.
  const strange = await stray(parsed.cms, brought, trusted, material, [], suite);
  if (strange.length > 0) return only(...strange);
  const code = stamp.own ? "bundle.token_own" : "bundle.token_good";
  const good = passed(code, { authority: stamp.authority, time: secondsText(stamp.time) });
  return { findings: [good], time: stamp.time, independent: !stamp.own };
}

/** What the trouble with a token means. */
async function stampTrouble(error, token, brought, stampers, suite) {
  const time = secondsText(token.info.time);
  switch (error.code) {
    case "ledger.timestamp_authority_unknown":
      return unknownStamper(time, brought, stampers, suite);
    case "ledger.timestamp_ahead":
      return undecided("ledger.timestamp_ahead", { time });
    case "ledger.timestamp_algorithm":
      return undecided("ledger.timestamp_algorithm", { algorithm: String(error.facts.algorithm) });
    case "ledger.timestamp_certificate_unfit":
    case "ledger.timestamp_outside_validity":
      return failed(error.code, { subject: await signerName(token.cms, brought, suite) });
    default:
      if (error.code === "ledger.timestamp_certificate_missing" && brought.length === 0) {
        return undecided("bundle.token_unknown", { authority: "–", time });
      }
      return failed(error.code);
  }
}

/** A token that is right, by nobody who is trusted. */
async function unknownStamper(time, brought, stampers, suite) {
  if (stampers === null) return undecided("bundle.trust_not_given", { time });
  const name = await bearsTheName(brought, trustedStampers(stampers), suite);
  if (name !== null) return failed("bundle.token_forged", { authority: name });
  return undecided("bundle.token_unknown", { authority: topOf(brought), time });
}

const trustedStampers = (stampers) => (stampers ?? []).flatMap(({ certificates }) => certificates.map(readCertificate));

// ---- signatures ----------------------------------------------------------------------------------------------------

/**
 * Whose detached signature these bytes are over, since when, and whether the certificate was good then.
 * @param {{signatories: {name: string, certificate: Uint8Array}[], stampers: object[]}|null} trusted
 * @returns {Promise<{findings: object[], signer: string|null, signatory: string|null, time: bigint|null}>}
 */
export async function checkSignature(signature, data, trusted, material, at, suite) {
  const only = (finding) => ({ findings: [finding], signer: null, signatory: null, time: null });
  // 1 It is a detached signature by one signer, and nothing in it is loose.
  let cms, brought, revocations;
  try {
    cms = readDetached(signature);
    brought = cms.certificates.map(readCertificate);
    revocations = cms.revocations.map((each) => new RevocationList(each));
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return only(failed("bundle.cms_malformed"));
  }
  // 2 The certificate that it names is there, and its key signed this content.
  let signer;
  try {
    signer = await findSigner(cms, brought, suite);
    await mustBeSigned(cms, DATA, (algorithm) => digestOf(algorithm, data, suite), signer, suite);
  } catch (error) {
    if (!(error instanceof CmsError)) throw error;
    return only(signatureTrouble(error));
  }
  const signing = { cms, brought, revocations, signer, name: namedIn(signer.subject), findings: [], time: null };
  // 3 When: each signature time-stamp is over this signature.
  const stampers = trusted === null ? null : trusted.stampers;
  await stamps(signing, stampers, material, at, suite);
  // 4 By whom: a certificate for signing, a chain to a trusted root, nothing in it over or revoked at that time.
  const signatory = await trustedSigner(signing, trusted === null ? null : trusted.signatories, material, at, suite);
  // 5 Nothing else in it was altered.
  const roots = trusted === null ? [] : trusted.signatories.map(({ certificate }) => readCertificate(certificate));
  const known = [...roots, ...trustedStampers(stampers)];
  signing.findings.push(...(await stray(cms, brought, known, material, revocations, suite)));
  const { name, time, findings } = signing;
  if (findings.every(({ verdict }) => verdict === PASSED) && signatory && time !== null) {
    findings.push(passed("bundle.signed", { signer: name, signatory, time: secondsText(time) }));
  }
  return { findings, signer: name, signatory, time };
}

function readDetached(data) {
  if (data.length > MAX_SIGNATURE) throw new Malformed("too long");
  const cms = readSigned(data);
  if (![1n, 3n].includes(cms.version) || cms.kind !== DATA || cms.content !== null) throw new Malformed("not detached");
  const unsigned = cms.unsigned ?? [];
  const strange = unsigned.some(({ kind, values }) => kind !== SIGNATURE_TIME_STAMP || values.length !== 1);
  if (strange || unsigned.length > MAX_STAMPS) throw new Malformed("an attribute that nobody signed");
  mustBeTight(cms, true);
  return cms;
}

const SIGNATURE_CODES = new Map([
  ["certificate_missing", "bundle.cms_certificate_missing"],
  ["digest_wrong", "bundle.cms_digest_wrong"],
  ["signature_wrong", "bundle.cms_signature_wrong"],
]);

function signatureTrouble({ kind, facts }) {
  if (kind === "algorithm") return undecided("bundle.cms_algorithm", { algorithm: String(facts.algorithm) });
  return failed(SIGNATURE_CODES.get(kind) ?? "bundle.cms_malformed");
}

/** The tokens over the signature's value; the earliest that is proven is the signature's time. */
async function stamps(signing, stampers, material, at, suite) {
  const tokens = (signing.cms.unsigned ?? []).map(({ values }) => values[0].raw);
  if (tokens.length === 0) signing.findings.push(undecided("bundle.signature_time_missing"));
  for (const each of tokens) {
    const outcome = await checkToken(each, signing.cms.signature, stampers, material, at, suite);
    for (const finding of outcome.findings) {
      const wrong = finding.verdict === FAILED;
      signing.findings.push(wrong ? failed("bundle.signature_time_wrong", { cause: finding.code }) : finding);
    }
    if (outcome.time !== null && (signing.time === null || outcome.time < signing.time)) signing.time = outcome.time;
  }
}

/** Name of the trusted institution that signed, or null; what is wrong with its certificates is told. */
async function trustedSigner(signing, signatories, material, at, suite) {
  const { signer, name, findings } = signing;
  if (!maySign(signer)) {
    findings.push(failed("bundle.signer_usage", { signer: name }));
    return null;
  }
  if (signatories === null) {
    findings.push(undecided("bundle.trust_not_given", { signer: name }));
    return null;
  }
  const roots = signatories.map((each) => ({ certificate: readCertificate(each.certificate), anchor: each.name }));
  const time = signing.time ?? at;
  let path;
  try {
    path = await chain(signer, signing.brought, roots, time, PURPOSES, suite);
  } catch (error) {
    if (!(error instanceof CmsError)) throw error;
    findings.push(await noChain(error, signing, roots.map(({ certificate }) => certificate), suite));
    return null;
  }
  const revoked = await revocation(signing, path.certificates, material, time, suite);
  findings.push(...revoked);
  return revoked.length > 0 ? null : path.anchor;
}

async function noChain(error, signing, roots, suite) {
  const { signer, name, brought } = signing;
  if (error.kind === "outside_validity") {
    const found = signing.time === null ? undecided : failed;
    return found("bundle.signer_expired", { signer: name, until: secondsText(signer.notAfter) });
  }
  const forged = await bearsTheName([signer, ...brought], roots, suite);
  if (forged !== null) return failed("bundle.signer_forged", { signer: name, name: forged });
  return undecided("bundle.signer_unknown", { signer: name, name: topOf(brought) });
}

/** For signing documents: no issuer, a key for signatures, and no purpose that excludes them. */
function maySign(certificate) {
  const { basic, usage, purposes } = certificate;
  if (basic !== null && basic.ca) return false;
  if (usage === null || !(usage.has(DIGITAL_SIGNATURE) || usage.has(CONTENT_COMMITMENT))) return false;
  if (purposes !== null && ![...PURPOSES, ANY_PURPOSE].some((each) => purposes.includes(each))) return false;
  return certificate.isUnderstood();
}

// ---- revocation ----------------------------------------------------------------------------------------------------

/** What speaks against a certificate of the path at the time of signing; nothing when all are good. */
async function revocation(signing, path, material, time, suite) {
  const lists = [...signing.revocations, ...readableLists(material)];
  const found = [];
  for (const [at, certificate] of path.slice(0, -1).entries()) {
    const signer = namedIn(certificate.subject);
    const right = [];
    for (const each of lists) if (await isListOf(each, path[at + 1], suite)) right.push(each);
    const dates = right.map(({ revoked }) => revoked.get(certificate.serial)).filter((date) => date !== undefined);
    const earliest = dates.reduce((first, date) => (first === null || date < first ? date : first), null);
    if (earliest !== null && earliest <= time) {
      found.push(failed("bundle.signer_revoked", { signer, time: secondsText(earliest) }));
    } else if (!right.some(({ nextUpdate }) => nextUpdate !== null && nextUpdate >= time)) {
      found.push(undecided("bundle.revocation_missing", { signer }));
    }
  }
  return found;
}

const readableLists = ({ revocations }) => revocations.map((each) => maybe(() => new RevocationList(each))).filter(Boolean);

function maybe(reading) {
  try {
    return reading();
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return null;
  }
}

/** Whether the issuer may sign lists and signed this one, which is whole: no delta, nothing left out. */
async function isListOf(list, issuer, suite) {
  if (list.issuerKey !== issuer.subjectKey || (issuer.usage !== null && !issuer.usage.has(CRL_SIGN))) return false;
  if ([...list.extensions].some(([kind, { critical }]) => critical || PARTIAL.includes(kind))) return false;
  return signedList(list, issuer, suite);
}

const signedList = (list, issuer, suite) => issued(issuer.spki, list.algorithm, list.signature, list.signed, suite);

// ---- what no key covers --------------------------------------------------------------------------------------------

/** Nothing outside the signature is loose: the hint is the signer's digest, parameters are empty. @throws {Malformed} */
function mustBeTight(cms, stamped) {
  const [hint] = cms.hints;
  if (cms.hints.length !== 1 || hint.tag !== SEQUENCE || algorithmOf(hint) !== cms.digest) {
    throw new Malformed("another digest is announced than used");
  }
  if (oid(new Reader(cms.algorithm.content).take(OID)) !== PSS) algorithmOf(cms.algorithm);
  if (cms.unsigned !== null && !(stamped && cms.unsigned.length > 0)) throw new Malformed("attributes that nobody signed");
}

/** Certificates and lists in a SignedData that are not signed by any certificate at hand: altered, or strange. */
async function stray(cms, brought, trusted, material, revocations, suite) {
  const known = new Set([...trusted.map(({ key }) => key), ...material.certificates.map(toHex)]);
  const beside = material.certificates.map((each) => maybe(() => readCertificate(each))).filter(Boolean);
  const pool = [...trusted, ...brought, ...beside];
  const found = [];
  for (const each of brought) {
    const issuers = pool.filter(({ subjectKey }) => subjectKey === each.issuerKey);
    if (known.has(each.key) || (await someOf(issuers, (issuer) => each.isIssuedBy(issuer, suite)))) continue;
    const name = namedIn(each.subject);
    found.push(issuers.length > 0 ? failed("bundle.cms_certificate_altered", { name }) : unchecked(name));
  }
  for (const list of revocations) {
    const issuers = pool.filter(({ subjectKey }) => subjectKey === list.issuerKey);
    if (await someOf(issuers, (issuer) => signedList(list, issuer, suite))) continue;
    const name = namedIn(list.issuer);
    found.push(issuers.length > 0 ? failed("bundle.cms_list_altered", { name }) : unchecked(name));
  }
  if (cms.revocations.length > 0 && revocations.length === 0) found.push(failed("bundle.cms_malformed"));
  return found;
}

const unchecked = (name) => undecided("bundle.cms_certificate_stray", { name });

async function someOf(values, holds) {
  for (const each of values) if (await holds(each)) return true;
  return false;
}

// ---- names ---------------------------------------------------------------------------------------------------------

/** The name of a trusted root that one of these bears or claims as its issuer's, with another key. */
async function bearsTheName(certificates, roots, suite) {
  for (const root of roots) {
    for (const each of certificates) {
      if (each.subjectKey === root.subjectKey && !equal(each.spki, root.spki)) return namedIn(root.subject);
      if (each.issuerKey === root.subjectKey && !(await each.isIssuedBy(root, suite))) return namedIn(root.subject);
    }
  }
  return null;
}

/** The name of the last issuer, for people. */
function topOf(certificates) {
  const own = certificates.find(({ subjectKey, issuerKey }) => subjectKey === issuerKey);
  if (own !== undefined) return namedIn(own.subject);
  return certificates.length > 0 ? namedIn(certificates[0].issuer) : "–";
}

async function signerName(cms, brought, suite) {
  try {
    return namedIn((await findSigner(cms, brought, suite)).subject);
  } catch (error) {
    if (!(error instanceof CmsError)) throw error;
    return "–";
  }
}
