/**
 * The manifest of a bundle, read strictly: the browser's side of `chopmark.evidence.bundle.manifest`.
 *
 * A member that is missing, unknown, of another type or of another form is refused, the first one by the order in which
 * Python reads them, and named. Nothing is checked against the files here.
 */

import { MEDIA_TYPE } from "./asic.js";
import { META_INF, MIMETYPE_NAME, mustBeDistinct, mustBeSafe } from "./container.js";
import { Invalid } from "./errors.js";
import { decode, encode, isObject } from "./jcs.js";
import { sha256 } from "./sha256.js";

export const MANIFEST_NAME = "manifest.json";
export const MAX_MANIFEST = 16 << 20;

const SCHEMA = "urn:chopmark:evidence-bundle:1";
const MAX_TEXT = 10_000;
const MAX_LIST = 10_000;

const WORD = /^[a-z][a-z0-9_.-]{0,63}$/;
const NUMBER = /^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$/;
const BUNDLE = /^B-[0-9]{4}-[0-9]{6,12}$/;
const ITEM = /^E-[0-9]{3,5}$/;
const KEY = /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/;
const TIME = /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$/;
const HEX = /^[0-9a-f]{64}$/;

const wrong = (member) => new Invalid("bundle.manifest_malformed", { reason: cut(member, MAX_TEXT) });
const cut = (text, length) => (text.length <= length ? text : Array.from(text).slice(0, length).join(""));

/**
 * @param {Uint8Array} data
 * @returns {object} the manifest as it stands there
 * @throws {Invalid} `bundle.manifest_malformed`
 */
export function parseManifest(data) {
  if (data.length > MAX_MANIFEST) throw wrong("not_json");
  let value;
  try {
    value = decode(data);
  } catch (error) {
    if (!(error instanceof Invalid)) throw error;
    throw wrong("not_json");
  }
  readManifest(new Members(value, ""));
  mustFit(value);
  return value;
}

/** Every file that the manifest lists: those of the items, then the documents. */
export const listedOf = ({ items, documents }) => [...items.flatMap(({ files }) => files), ...documents];

/** The digest of what the bundle says of the matter, made anew. */
export const contentSha256 = ({ matter, depositor, items, custody, redactions }) =>
  sha256(encode({ matter, depositor, items, custody, redactions }));

/** Takes the members of one object by name; `end` refuses what nobody took. */
class Members {
  constructor(value, where) {
    if (!isObject(value)) throw wrong(where || "manifest");
    this.left = new Map(Object.entries(value));
    this.where = where;
  }

  at(name) {
    return this.where ? `${this.where}.${name}` : name;
  }

  take(name) {
    if (!this.left.has(name)) throw wrong(this.at(name));
    const value = this.left.get(name);
    this.left.delete(name);
    return value;
  }

  has(name) {
    return this.left.has(name);
  }

  end() {
    if (this.left.size > 0) throw wrong(this.at(this.names()[0]));
  }

  must(name, holds) {
    if (!holds(this.take(name))) throw wrong(this.at(name));
  }

  prose(name) {
    this.must(name, isProse);
  }

  form(name, pattern) {
    this.must(name, (value) => typeof value === "string" && pattern.test(value));
  }

  path(name) {
    this.must(name, (value) => typeof value === "string" && isPath(value));
  }

  digest(name) {
    this.form(name, HEX);
  }

  moment(name) {
    this.must(name, (value) => typeof value === "string" && isMoment(value));
  }

  count(name) {
    this.must(name, (value) => typeof value === "number" && value >= 0);
  }

  flag(name) {
    this.must(name, (value) => typeof value === "boolean");
  }

  inner(name, reading) {
    reading(new Members(this.take(name), this.at(name)));
  }

  each(name, reading) {
    this.list(name).forEach((each, index) => reading(new Members(each, `${this.at(name)}[${index}]`)));
  }

  proses(name) {
    this.list(name).forEach((each, index) => {
      if (!isProse(each)) throw wrong(`${this.at(name)}[${index}]`);
    });
  }

  /** An object whose names are free but for their form. */
  keys(name) {
    const inner = new Members(this.take(name), this.at(name));
    if (!inner.names().every((key) => KEY.test(key))) throw wrong(this.at(name));
    return inner;
  }

  /** By code points, as Python sorts. */
  names() {
    return [...this.left.keys()].sort(byCodePoints);
  }

  list(name) {
    const value = this.take(name);
    if (!Array.isArray(value) || value.length > MAX_LIST) throw wrong(this.at(name));
    return value;
  }
}

export function byCodePoints(left, right) {
  const [first, second] = [Array.from(left), Array.from(right)];
  const at = first.findIndex((each, index) => each !== second[index]);
  if (at < 0) return first.length - second.length;
  return at < second.length ? first[at].codePointAt(0) - second[at].codePointAt(0) : 1;
}

const isProse = (text) =>
  typeof text === "string" && text !== "" && Array.from(text).length <= MAX_TEXT && !/[\0-\x08\x0b-\x1f]/.test(text);

function isPath(path) {
  try {
    mustBeSafe(path);
  } catch (error) {
    if (!(error instanceof Invalid)) throw error;
    return false;
  }
  return !path.startsWith(META_INF);
}

/** A day and a time that there are, from year 1 on, to the second in UTC. */
export function isMoment(text) {
  if (!TIME.test(text)) return false;
  const moment = new Date(text);
  return !text.startsWith("0000") && !Number.isNaN(moment.getTime()) && moment.toISOString() === text.replace("Z", ".000Z");
}

function readManifest(members) {
  members.must("$schema", (value) => value === SCHEMA);
  members.form("bundle", BUNDLE);
  members.moment("created");
  members.inner("matter", readMatter);
  members.inner("depositor", readDepositor);
  members.inner("platform", readPlatform);
  members.each("items", readItem);
  members.each("documents", readDocument);
  members.inner("custody", readCustody);
  members.each("redactions", readRedaction);
  const claims = members.keys("claims");
  for (const name of claims.names()) claims.proses(name);
  members.digest("content_sha256");
  members.end();
}

function readMatter(members) {
  members.form("id", NUMBER);
  members.form("template", WORD);
  members.inner("title", readText);
  members.form("jurisdiction", KEY);
  if (members.has("court_profile")) members.form("court_profile", NUMBER);
  members.end();
}

function readDepositor(members) {
  members.prose("name");
  members.form("type", WORD);
  if (members.has("agent")) members.prose("agent");
  members.end();
}

function readPlatform(members) {
  for (const name of ["operator", "software", "origin"]) members.prose(name);
  members.inner("independence", readText);
  members.end();
}

function readItem(members) {
  members.form("id", ITEM);
  members.form("kind", WORD);
  members.inner("title", readText);
  members.inner("purpose", readText);
  const source = members.keys("source");
  for (const name of source.names()) source.prose(name);
  members.form("phase", WORD);
  members.path("folder");
  let files = 0;
  members.each("files", (each) => {
    files += 1;
    readFile(each);
  });
  members.each("deposits", readDeposit);
  if (members.has("capture")) members.inner("capture", readCapture);
  members.each("tokens", readToken);
  if (files === 0) throw wrong(members.at("files"));
  members.end();
}

function readText(members) {
  members.prose("zh");
  members.prose("en");
  members.end();
}

function readFile(members) {
  members.path("path");
  members.form("media_type", MEDIA_TYPE);
  members.count("bytes");
  members.digest("sha256");
  if (members.has("sm3")) members.digest("sm3");
  members.form("role", WORD);
  if (members.has("derived_from")) members.path("derived_from");
  members.end();
}

function readDocument(members) {
  members.path("path");
  members.form("media_type", MEDIA_TYPE);
  members.count("bytes");
  members.digest("sha256");
  members.form("role", WORD);
  members.end();
}

function readDeposit(members) {
  members.form("number", NUMBER);
  members.digest("sha256");
  members.path("receipt");
  members.end();
}

function readToken(members) {
  members.path("path");
  members.path("over");
  members.end();
}

function readCapture(members) {
  members.form("mode", WORD);
  members.prose("requested_url");
  members.prose("final_url");
  members.moment("started");
  members.moment("ended");
  members.prose("engine");
  members.digest("engine_sha256");
  members.proses("vantages");
  members.form("cleanliness", WORD);
  members.flag("complete");
  members.end();
}

function readCustody(members) {
  members.path("log");
  members.digest("head");
  members.count("entries");
  members.end();
}

function readRedaction(members) {
  members.path("path");
  members.prose("reason");
  members.digest("original_sha256");
  if (members.has("sealed")) members.path("sealed");
  members.end();
}

// ---- what must fit together ----------------------------------------------------------------------------------------

/** No file is listed twice, items are numbered once each, and every path that is named is listed. */
function mustFit(manifest) {
  const paths = listedOf(manifest).map(({ path }) => path);
  const listed = new Set(paths);
  const [ids, folders] = [new Set(), new Set()];
  manifest.items.forEach((item, index) => {
    const here = `items[${index}]`;
    if (ids.has(item.id)) throw wrong(`${here}.id`);
    if (folders.has(item.folder)) throw wrong(`${here}.folder`);
    ids.add(item.id);
    folders.add(item.folder);
    mustFitItem(item, here, listed);
  });
  for (const name of ["deposits", "tokens"]) {
    if (manifest.items.reduce((sum, item) => sum + item[name].length, 0) > MAX_LIST) throw wrong(`items.${name}`);
  }
  if (!listed.has(manifest.custody.log)) throw wrong("custody.log");
  manifest.redactions.forEach((each, index) => {
    if (!listed.has(each.path)) throw wrong(`redactions[${index}].path`);
    if ("sealed" in each && !listed.has(each.sealed)) throw wrong(`redactions[${index}].sealed`);
  });
  try {
    mustBeDistinct([MIMETYPE_NAME, MANIFEST_NAME, ...paths]);
  } catch (error) {
    if (!(error instanceof Invalid)) throw error;
    throw wrong(error.facts.name);
  }
}

function mustFitItem(item, here, listed) {
  item.files.forEach((file, index) => {
    if (!file.path.startsWith(`${item.folder}/`)) throw wrong(`${here}.files[${index}].path`);
    if ("derived_from" in file && !listed.has(file.derived_from)) throw wrong(`${here}.files[${index}].derived_from`);
  });
  item.deposits.forEach((deposit, index) => {
    if (!listed.has(deposit.receipt)) throw wrong(`${here}.deposits[${index}].receipt`);
  });
  item.tokens.forEach((token, index) => {
    if (!listed.has(token.path)) throw wrong(`${here}.tokens[${index}].path`);
    if (!listed.has(token.over)) throw wrong(`${here}.tokens[${index}].over`);
  });
}
