/** A string that does not end takes all that follows, so that no number in it is quoted. */
const STRING_OR_NUMBER = /"(?:[^"\\]|\\[^])*"?|-?\d[\d.eE+-]*/g
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?$/

/** Quotes a number as it stands. Leaves strings, and what is no number of JSON, for the parser to judge. */
const quoted = (token: string): string => !token.startsWith('"') && NUMBER.test(token) ? `"${token}"` : token

/**
 * Parses JSON, with every number as the text that stands there: `0.10` is `'0.10'`. A JavaScript number would
 * lose zeros at the end, and digits beyond the seventeenth.
 * @throws SyntaxError where it is not JSON
 */
export const parseExact = (text: string): unknown => JSON.parse(text.replace(STRING_OR_NUMBER, quoted))
