import { MAX_REASON } from './broker.js'

/** Cuts a reason so that it fits into a message, and not within a pair of surrogates. */
export const shortened = (reason: string): string => reason.slice(0, MAX_REASON).replace(/[\uD800-\uDBFF]$/, '')
