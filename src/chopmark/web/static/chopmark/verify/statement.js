/**
 * The entries of the ledger: SCITT Signed Statements (RFC 9943) over a hash envelope (RFC 9995), read strictly.
 *
 * A statement whose claim does not print back to its own protected header is refused, and so is any header label
 * that has no business there. Whether a key is trusted is not decided here.
 */

import { encode } from "./cbor.js";
import { equal, toHex } from "./bytes.js";
import { EDDSA, Envelope, ES256, isDigest, SIGNATURE_SIZE, toBeSigned } from "./cose.js";
import { Invalid } from "./errors.js";

export const MAX_ENTRY = 65_535;
export const DISCLOSURE_TYPE = "application/vnd.chopmark.disclosure+cbor";

const MAX_COMMITMENTS = 32;
const [ALGORITHM, CRITICAL, CONTENT_TYPE, KEY_ID, CLAIMS] = [1, 2, 3, 4, 15];
const [ISSUER, SUBJECT, ISSUED_AT] = [1, 2, 6];
const [HASH_ALGORITHM, PREIMAGE_TYPE, CHOPMARK] = [258, 259, "chopmark"];
const SHA256 = -16;

const LABELS = new Set([ALGORITHM, KEY_ID, CLAIMS, HASH_ALGORITHM, PREIMAGE_TYPE, CHOPMARK]);
const OURS = new Set(["kind", "policy", "agent", "sm3", "private", "commitments"]);
const NAME = /^[a-z][a-z_]{0,31}$/;
const IDENTIFIER = /^[!-~]{1,512}$/;
const MEDIA_TYPE = /^[a-z0-9][a-z0-9!#$&^_.+-]{0,62}\/[a-z0-9][a-z0-9!#$&^_.+-]{0,62}$/;

/** The years 1 to 9999, in seconds since 1970. */
const [EARLIEST, LATEST] = [-62_135_596_800, 253_402_300_799];

const has = (value, form) => typeof value === "string" && form.test(value);

export class Statement {
  constructor({ raw, claim, kid, algorithm, signature, protected: header }) {
    this.raw = raw;
    this.claim = claim;
    this.kid = kid;
    this.algorithm = algorithm;
    this.signature = signature;
    this.protected = header;
  }

  /**
   * @param {Uint8Array} raw an entry of the ledger
   * @throws {Invalid} `ledger.statement_*`
   */
  static parse(raw) {
    if (raw.length > MAX_ENTRY) throw new Invalid("ledger.statement_too_large", { size: raw.length, limit: MAX_ENTRY });
    const { envelope, header } = readEnvelope(raw);
    if (envelope.unprotected.size > 0) throw new Invalid("ledger.statement_unprotected");
    const { algorithm, kid } = readSigner(header);
    checkHashEnvelope(header, envelope.payload);
    const strange = [...header.keys()].filter((label) => !LABELS.has(label)).map(String);
    if (strange.length > 0) throw new Invalid("ledger.statement_label", { labels: strange });
    const claim = readClaim(header, envelope.payload);
    if (envelope.signature.length !== SIGNATURE_SIZE) throw malformed();
    if (!equal(printHeader(claim, algorithm, kid), envelope.protected)) throw malformed();
    return new Statement({ raw, claim, kid, algorithm, signature: envelope.signature, protected: envelope.protected });
  }

  /**
   * Check the signature with the key that the caller trusts for this.
   * @throws {Invalid} `ledger.statement_key_differs`, `ledger.statement_signature_wrong`
   */
  async verify(key, suite) {
    const facts = { kid: toHex(this.kid) };
    if (!equal(key.thumbprint, this.kid) || key.algorithm !== this.algorithm) {
      throw new Invalid("ledger.statement_key_differs", facts);
    }
    const message = toBeSigned(this.protected, this.claim.payload);
    if (!(await key.accepts(this.signature, message, suite))) throw new Invalid("ledger.statement_signature_wrong", facts);
  }
}

const malformed = () => new Invalid("ledger.statement_malformed");
const incomplete = (missing) => new Invalid("ledger.statement_incomplete", { missing });

function readEnvelope(raw) {
  try {
    const envelope = Envelope.parse(raw);
    return { envelope, header: envelope.header() };
  } catch (error) {
    if (error instanceof Invalid) throw malformed();
    throw error;
  }
}

/** Algorithm and `kid`; a header marked critical is refused, since none of ours is. */
function readSigner(header) {
  if (header.has(CRITICAL)) throw new Invalid("ledger.statement_critical");
  const [algorithm, kid] = [header.get(ALGORITHM), header.get(KEY_ID)];
  const isNumber = ["number", "bigint", "boolean"].includes(typeof algorithm);
  if (isNumber && algorithm !== EDDSA && algorithm !== ES256) {
    throw new Invalid("ledger.statement_algorithm", { algorithm: String(algorithm) });
  }
  if (!isNumber || !isDigest(kid)) throw incomplete("alg, kid");
  return { algorithm, kid };
}

/** RFC 9995: SHA-256 named in 258, its 32 bytes as payload, no content type (3). */
function checkHashEnvelope(header, payload) {
  if (header.get(HASH_ALGORITHM) !== SHA256 || header.has(CONTENT_TYPE) || !isDigest(payload)) {
    throw new Invalid("ledger.statement_not_hash_envelope");
  }
}

/** The claim of a header with allowed labels; what it leaves out shows when the claim is printed back. */
function readClaim(header, payload) {
  const claims = header.get(CLAIMS);
  const ours = header.get(CHOPMARK) ?? null;
  if (!(claims instanceof Map) || !(ours === null || ours instanceof Map)) throw incomplete("iss, sub");
  const [issuer, subject, issuedAt = null] = [claims.get(ISSUER), claims.get(SUBJECT), claims.get(ISSUED_AT)];
  if (!has(issuer, IDENTIFIER) || !has(subject, IDENTIFIER)) throw incomplete("iss, sub");
  const isInteger = typeof issuedAt === "number" || typeof issuedAt === "bigint";
  if (!isInteger && !(issuedAt === null && ours === null)) throw incomplete("iat");
  const contentType = header.get(PREIMAGE_TYPE);
  const isFormat = typeof contentType === "number" && contentType >= 0 && contentType <= 65_535;
  if (!has(contentType, MEDIA_TYPE) && !isFormat) throw incomplete("preimage content type");
  if (isInteger && (typeof issuedAt === "bigint" || issuedAt < EARLIEST || issuedAt > LATEST)) throw malformed();
  const said = { issuer, subject, issuedAt, payload, contentType };
  return ours === null ? { ...said, ...THIRD_PARTY } : { ...said, ...readOurs(ours, contentType) };
}

const THIRD_PARTY = { kind: null, policy: null, agent: false, sm3: null, private: false, commitments: new Map() };

/** The fields of the house's own header, each checked. */
function readOurs(ours, contentType) {
  const [kind, policy, agent = false, sm3 = null] = [ours.get("kind"), ours.get("policy"), ours.get("agent"), ours.get("sm3")];
  const [isPrivate = false, commitments = new Map()] = [ours.get("private"), ours.get("commitments")];
  const right =
    [...ours.keys()].every((name) => OURS.has(name)) &&
    has(kind, NAME) &&
    isDigest(policy) &&
    typeof isPrivate === "boolean" &&
    typeof agent === "boolean" &&
    (sm3 === null || (isDigest(sm3) && !isPrivate)) &&
    isPrivate === (contentType === DISCLOSURE_TYPE) &&
    commitments instanceof Map &&
    commitments.size <= MAX_COMMITMENTS &&
    [...commitments].every(([name, commitment]) => has(name, NAME) && isDigest(commitment));
  if (!right) throw malformed();
  return { kind, policy, agent, sm3, private: isPrivate, commitments };
}

/** The encoded protected header of a statement that says this claim. */
function printHeader(claim, algorithm, kid) {
  const claims = new Map([[ISSUER, claim.issuer], [SUBJECT, claim.subject]]);
  if (claim.issuedAt !== null) claims.set(ISSUED_AT, claim.issuedAt);
  const header = new Map([
    [ALGORITHM, algorithm],
    [KEY_ID, kid],
    [CLAIMS, claims],
    [HASH_ALGORITHM, SHA256],
    [PREIMAGE_TYPE, claim.contentType],
  ]);
  if (claim.kind !== null) header.set(CHOPMARK, printOurs(claim));
  return encode(header);
}

function printOurs(claim) {
  const ours = new Map([["kind", claim.kind], ["policy", claim.policy]]);
  if (claim.agent) ours.set("agent", true);
  if (claim.sm3 !== null) ours.set("sm3", claim.sm3);
  if (claim.private) ours.set("private", true);
  if (claim.commitments.size > 0) ours.set("commitments", claim.commitments);
  return ours;
}
