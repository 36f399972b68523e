/**
 * What one kind of database refuses and the other changes or takes: NUL, and half of a surrogate pair. JSON
 * text has neither.
 */
const UNKEPT = /\0|\p{Surrogate}/gu

/** Returns whether either kind of database keeps a text as it is. */
export const isKept = (text: string): boolean => text.search(UNKEPT) < 0

/** Returns the text that a database keeps of another: U+FFFD stands for each character that none keeps. */
export const keptText = (text: string): string => text.replace(UNKEPT, '\uFFFD')
