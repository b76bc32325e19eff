/**
 * The one kind of trouble the verifier knows: bytes from outside are malformed or fail a check.
 *
 * An error carries a code and facts, never a sentence; the sentence is chosen by the page.
 */
export class Invalid extends Error {
  /**
   * @param {string} code dotted name, a key of the wording catalogue
   * @param {Record<string, string|number|boolean|null|string[]>} facts what the sentence needs
   */
  constructor(code, facts = {}) {
    super(code);
    this.name = "Invalid";
    this.code = code;
    this.facts = facts;
  }
}
